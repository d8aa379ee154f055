"""Held-out accuracy and calibration of the runs of a cross-validation."""

from collections.abc import Iterable, Iterator, Sequence
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
    entropy_bits,
    nested_labels,
    softmax,
)
from gliomaai_training.inference.predictor import Predictor, Segmented
from gliomaai_training.vocabulary import SEQUENCES

CALIBRATION_VOXELS = 20_000
"""Brain voxels that each case gives to the fit of the temperature."""

USUAL_SHARE = 0.9
"""Share of the held-out patients whose tumours' mean entropy counts as usual."""


@dataclass(frozen=True)
class CalibrationSample:
    """Random brain voxels of one held-out case, all its sequences given to the network."""

    patient: str
    log_probabilities: NDArray[np.float32]
    """(voxels, labels)"""
    labels: NDArray[np.int64]
    """(voxels,) the expert's labels there."""


def calibration_sample(
    predictor: Predictor, case: StoredCase, generator: np.random.Generator
) -> CalibrationSample:
    """What the network, with temperature 1, says of some voxels of a case."""
    present = tuple(np.array(SEQUENCES)[case.present])
    seen = segment_case(predictor, case, present)
    sampled = sample_voxels(
        seen.probabilities, case.labels, case.brain, CALIBRATION_VOXELS, generator
    )
    return CalibrationSample(case.patient, *sampled)


def score_case(
    predictor: Predictor, case: StoredCase, subsets: Sequence[tuple[str, ...]]
) -> list[dict[str, object]]:
    """Scores by region and subset of the case's sequences, as rows of `tables`.

    Args:
        predictor: what segments.
        case: the patient.
        subsets: of sequences; those that the case lacks are passed over.
    """
    return [
        row
        for subset, seen in seen_through(predictor, case, subsets)
        for row in scored(case, subset, seen.labels)
    ]


def seen_through(
    predictor: Predictor, case: StoredCase, subsets: Iterable[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], Segmented]]:
    """A case through each of the subsets of sequences that it has."""
    for subset in subsets:
        if has_sequences(case, subset):
            yield subset, segment_case(predictor, case, subset)


def scored(
    case: StoredCase, subset: tuple[str, ...], labels: NDArray[np.uint8]
) -> list[dict[str, object]]:
    """Labels against the expert's, by region, as rows of `tables`."""
    scores = case_scores(labels, case.labels, case.voxel_mm)
    return result_rows(case.patient, case.case, subset, scores)


def has_sequences(case: StoredCase, subset: Sequence[str]) -> bool:
    """Whether the case has every sequence of a subset."""
    return all(case.present[SEQUENCES.index(name)] for name in subset)


def segment_case(predictor: Predictor, case: StoredCase, subset: Sequence[str]) -> Segmented:
    """A case seen through some of its sequences."""
    present = np.array([name in subset for name in SEQUENCES])
    return predictor.segment(case.normalised(), present, case.brain, case.voxel_ml)


@dataclass(frozen=True)
class Calibration:
    """Calibration of held-out cases before and after temperature scaling."""

    temperature: float
    """Fitted on all held-out cases: the one to ship."""
    before: Reliability
    after: Reliability
    """Every patient scaled by a temperature fitted on the other patients' voxels."""
    usual_entropy_bits: float | None
    """Mean entropy inside the tumour, at the shipped temperature, that `USUAL_SHARE` of the
    patients do not exceed; None if no tumour was found in anyone."""


def calibrate(samples: Sequence[CalibrationSample], groups: int = 5, seed: int = 1) -> Calibration:
    """Fits the temperature, and judges it on patients that it was not fitted on.

    Raises:
        ValueError: there are fewer than two patients.
    """
    patients = sorted({case.patient for case in samples})
    if len(patients) < 2:
        raise ValueError("calibration needs at least two held-out patients")
    groups = min(groups, len(patients))
    order = np.random.default_rng(seed).permutation(len(patients))
    group = {patients[patient]: place % groups for place, patient in enumerate(order)}
    before, after = [], []
    for left_out in range(groups):
        fitted_on = [case for case in samples if group[case.patient] != left_out]
        temperature = _temperature(fitted_on)
        for case in samples:
            if group[case.patient] == left_out:
                before.append(_reliability(case, 1.0))
                after.append(_reliability(case, temperature))
    temperature = _temperature(samples)
    usual = _usual_entropy_bits(samples, temperature)
    return Calibration(temperature, pooled(before), pooled(after), usual)


def _temperature(cases: Sequence[CalibrationSample]) -> float:
    logits = np.concatenate([case.log_probabilities for case in cases])
    return fit_temperature(logits, np.concatenate([case.labels for case in cases]))


def _reliability(case: CalibrationSample, temperature: float) -> Reliability:
    probabilities = _scaled(case, temperature)
    everywhere = np.ones(probabilities.shape[1:], bool)
    return voxel_reliability(probabilities, case.labels[:, None, None], everywhere)


def _usual_entropy_bits(cases: Sequence[CalibrationSample], temperature: float) -> float | None:
    means = []
    for case in cases:
        probabilities = _scaled(case, temperature)
        tumour = nested_labels(probabilities) > 0
        if tumour.any():
            means.append(float(entropy_bits(probabilities)[tumour].mean()))
    return round(float(np.quantile(means, USUAL_SHARE)), 3) if means else None


def _scaled(case: CalibrationSample, temperature: float) -> NDArray[np.float32]:
    """A case's sampled probabilities after temperature scaling, (labels, voxels, 1, 1)."""
    logits = case.log_probabilities.T[:, :, None, None]
    return softmax(np.ascontiguousarray(logits), temperature)
