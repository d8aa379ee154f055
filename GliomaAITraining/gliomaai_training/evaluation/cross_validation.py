"""Held-out accuracy and calibration of the runs of a cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.evaluation.reliability import (
    Reliability,
    fit_temperature,
    pooled,
    sample_voxels,
    voxel_reliability,
)
from gliomaai_training.evaluation.segmentation_metrics import case_scores
from gliomaai_training.evaluation.tables import result_rows
from gliomaai_training.inference.postprocessing import (
    PostprocessingConfig,
    clean_labels,
    nested_labels,
    softmax,
)
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES

CALIBRATION_VOXELS = 20_000
"""Brain voxels that each case gives to the fit of the temperature."""


@dataclass(frozen=True)
class HeldOut:
    """What the evaluation of one held-out case keeps."""

    patient: str
    rows: list[dict[str, object]]
    """Scores by region and subset of sequences, as in `tables`."""
    log_probabilities: NDArray[np.float32]
    """(voxels, labels) of random brain voxels, all sequences present."""
    labels: NDArray[np.int64]
    """(voxels,) the expert's labels there."""


def evaluate_case(
    predictor: Predictor,
    case: StoredCase,
    subsets: Sequence[tuple[str, ...]],
    postprocessing: PostprocessingConfig,
    generator: np.random.Generator,
    progress: Progress = silent,
) -> HeldOut:
    """Scores one case with each subset of its sequences; the first subset also calibrates.

    Raises:
        ValueError: no subset can be formed from the sequences that the case has.
    """
    images, brain = case.normalised(), case.brain
    voxel_ml = float(np.prod(case.voxel_mm)) / 1000.0
    rows: list[dict[str, object]] = []
    sampled = None
    for position, subset in enumerate(subsets):
        present = np.array([name in subset for name in SEQUENCES])
        if (present & ~case.present).any():
            continue
        probabilities = predictor.probabilities(images, present)
        probabilities[0][~brain] = 1.0
        probabilities[1:, ~brain] = 0.0
        if sampled is None:
            sampled = sample_voxels(
                probabilities, case.labels, brain, CALIBRATION_VOXELS, generator
            )
        labels = clean_labels(nested_labels(probabilities), voxel_ml, postprocessing)
        scores = case_scores(labels, case.labels, case.voxel_mm)
        rows += result_rows(case.patient, case.case, subset, scores)
        progress(case.case, (position + 1) / len(subsets))
    if sampled is None:
        raise ValueError(f"case {case.case} has none of the subsets to evaluate")
    return HeldOut(case.patient, rows, *sampled)


@dataclass(frozen=True)
class Calibration:
    """Voxel calibration of held-out cases before and after temperature scaling."""

    temperature: float
    """Fitted on all held-out cases: the one to ship."""
    before: Reliability
    after: Reliability
    """Every patient scaled by a temperature fitted on the other patients' voxels."""


def calibrate(held_out: Sequence[HeldOut], groups: int = 5, seed: int = 1) -> Calibration:
    """Fits the temperature, and judges it on patients that it was not fitted on.

    Raises:
        ValueError: there are fewer than two patients.
    """
    patients = sorted({case.patient for case in held_out})
    if len(patients) < 2:
        raise ValueError("calibration needs at least two held-out patients")
    groups = min(groups, len(patients))
    order = np.random.default_rng(seed).permutation(len(patients))
    group = {patients[patient]: place % groups for place, patient in enumerate(order)}
    before, after = [], []
    for left_out in range(groups):
        fitted_on = [case for case in held_out if group[case.patient] != left_out]
        temperature = _temperature(fitted_on)
        for case in held_out:
            if group[case.patient] == left_out:
                before.append(_reliability(case, 1.0))
                after.append(_reliability(case, temperature))
    return Calibration(_temperature(held_out), pooled(before), pooled(after))


def _temperature(cases: Sequence[HeldOut]) -> float:
    logits = np.concatenate([case.log_probabilities for case in cases])
    return fit_temperature(logits, np.concatenate([case.labels for case in cases]))


def _reliability(case: HeldOut, temperature: float) -> Reliability:
    logits = case.log_probabilities.T[:, :, None, None]
    probabilities = softmax(np.ascontiguousarray(logits), temperature)
    everywhere = np.ones(probabilities.shape[1:], bool)
    return voxel_reliability(probabilities, case.labels[:, None, None], everywhere)
