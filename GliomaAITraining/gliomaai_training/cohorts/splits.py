"""Splits by patient, the same for the same seed whatever the order of the rows."""

from collections.abc import Sequence

import numpy as np

from gliomaai_training.cohorts.manifest import CaseFiles


def patient_folds(patients: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Deals patients into folds of nearly equal size.

    Returns:
        The fold (0 to folds - 1) of every patient.

    Raises:
        ValueError: fewer patients than folds, or fewer than two folds.
    """
    unique = sorted(set(patients))
    if folds < 2 or len(unique) < folds:
        raise ValueError(f"{len(unique)} patients cannot be dealt into {folds} folds")
    order = np.random.default_rng(seed).permutation(len(unique))
    return {unique[patient]: position % folds for position, patient in enumerate(order)}


def split_fold(
    cases: Sequence[CaseFiles], folds: int, fold: int, seed: int
) -> tuple[list[CaseFiles], list[CaseFiles]]:
    """Training and test cases of one fold.

    Raises:
        ValueError: no such fold.
    """
    if not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds}: folds count from 0 to {folds - 1}")
    dealt = patient_folds([case.patient for case in cases], folds, seed)
    train = [case for case in cases if dealt[case.patient] != fold]
    test = [case for case in cases if dealt[case.patient] == fold]
    return train, test
