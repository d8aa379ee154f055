"""Pseudo-labels for a student's stage: what the network before it says of unlabelled patients.

The teacher is calibrated on validation patients, looks at each unlabelled training patient many
times, and what it is sure of becomes a label. Only then does the student train.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gliomaai_training.data.case_store import StoredCase, coarsened
from gliomaai_training.data.dataset import TrainingPatients
from gliomaai_training.data.targets import CLASSES, PatientTargets
from gliomaai_training.evaluation.tasks.temperature import fit_task_temperature
from gliomaai_training.inference.monte_carlo import (
    MonteCarloConfig,
    drawn_vector,
    evaluating,
    mirrored,
    monte_carlo_of_vectors,
)
from gliomaai_training.inference.uncertainty import TaskSamples
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.training.cases import TrainingCases
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.objectives.config import StudentObjectiveConfig
from gliomaai_training.training.objectives.objective import view_of_case
from gliomaai_training.training.pseudo_label_selection import select_pseudo_labels
from gliomaai_training.training.pseudo_labels import (
    PseudoLabels,
    PseudoLabelScope,
    pseudo_label_scope,
    pseudo_label_table,
    read_pseudo_labels,
    taught,
    write_pseudo_labels,
)

logger = logging.getLogger(__name__)

PSEUDO_LABELS = "pseudo_labels.csv"
SUMMARY = "pseudo_labels_summary.csv"
LABELLED_SHARE = 0.5
"""Of the samples are of labelled patients, however few these are."""


def student_patients(
    config: FitConfig,
    cases: TrainingCases,
    folder: Path,
    device: torch.device,
    teacher: Mapping[str, Tensor],
) -> TrainingPatients | None:
    """The training patients with a teacher's word on those of whom nothing is known.

    Args:
        config: of a student's stage.
        cases: what the run learns from and is watched on.
        folder: where the pseudo-labels are written, or read if they are there.
        device: where the teacher runs.
        teacher: the state of its network.

    Returns:
        The patients, half of the samples from those of whom more is known than the teacher says;
        None where every task of the network is known of everybody.

    Raises:
        ValueError: there are no targets or no validation patients, or pseudo-labels are of
            somebody who is held out.
    """
    training, targets = cases.training, cases.training.targets
    if targets is None or not cases.validation:
        raise ValueError("a student needs a clinical table, and validation_patients to calibrate")
    network = build_network(config.network)
    if not isinstance(network, MultiTaskNetwork):
        raise ValueError("a student is a multitask network")
    tasks = [task for task in network.config.tasks if task in CLASSES]
    unlabelled = [
        case
        for case in training.cases
        if any(targets[case.case].possible[task].all() for task in tasks)
    ]
    if not unlabelled:
        return None
    scope = pseudo_label_scope(
        {case.case: case.patient for case in training.cases},
        cases.held_out,
        targets,
        cases.person_of,
    )
    file = folder / PSEUDO_LABELS
    if not file.is_file():
        network.load_state_dict(teacher)
        network.to(device)
        labels = _labels(network, unlabelled, cases, scope, config)
        folder.mkdir(parents=True, exist_ok=True)
        pseudo_label_table(labels, cases.truth).to_csv(folder / SUMMARY, index=False)
        write_pseudo_labels(labels, file, scope)
    labels = read_pseudo_labels(file, scope)
    logger.info("%d pseudo-labels for %d unlabelled cases", len(labels), len(unlabelled))
    return _balanced(training, taught(targets, labels), {case.case for case in unlabelled})


def _labels(
    network: MultiTaskNetwork,
    unlabelled: Sequence[StoredCase],
    cases: TrainingCases,
    scope: PseudoLabelScope,
    config: FitConfig,
) -> PseudoLabels:
    objective = config.objective
    if not isinstance(objective, StudentObjectiveConfig):
        raise ValueError(f"a {objective.kind} stage has no student")
    student = objective.student
    looks = MonteCarloConfig(passes=student.passes, flips=student.flips)
    watched = _samples(network, cases.validation, config, looks)
    temperatures = _temperatures(watched, cases.validation, cases.validation_targets)
    logger.info("temperatures of the teacher: %s", temperatures)
    samples = _samples(network, unlabelled, config, replace(looks, temperatures=temperatures))
    names = [(case.case, case.patient) for case in unlabelled]
    return select_pseudo_labels(samples, names, scope, student.limits, student.round_number)


def _samples(
    network: MultiTaskNetwork,
    cases: Sequence[StoredCase],
    config: FitConfig,
    looks: MonteCarloConfig,
) -> TaskSamples:
    """The network's looks at whole brains through all their sequences, case by case."""
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(config.seed)
    parts = []
    for case in cases:
        view = view_of_case(coarsened(case, config.voxel_mm), case.present, network.stride, device)
        views = [view, mirrored(view)] if looks.flips else [view]
        with torch.inference_mode(), evaluating(network):
            vectors = torch.stack([drawn_vector(network, one) for one in views])
            parts.append(monte_carlo_of_vectors(network, vectors, looks, generator))
    return TaskSamples.of_all_patients(parts)


def _temperatures(
    samples: TaskSamples, cases: Sequence[StoredCase], targets: Mapping[str, PatientTargets]
) -> dict[str, float]:
    """Of every task of which something is known in validation; 1 of the others."""
    found = {}
    for task, looks in samples.probabilities.items():
        possible = np.stack([targets[case.case].possible[task] for case in cases])
        if not possible.all(axis=1).all():
            found[task] = fit_task_temperature(looks.mean(axis=0), possible).temperature
    return found


def _balanced(
    patients: TrainingPatients, targets: Mapping[str, PatientTargets], unlabelled: set[str]
) -> TrainingPatients:
    """Half of the samples labelled, as in the published procedure, where anybody is."""
    known = np.array([case.case not in unlabelled for case in patients.cases])
    weights = np.asarray(patients.weights, float)
    if known.any():
        weights[known] *= LABELLED_SHARE / weights[known].sum()
        weights[~known] *= (1 - LABELLED_SHARE) / weights[~known].sum()
    return TrainingPatients(patients.cases, weights.tolist(), targets)
