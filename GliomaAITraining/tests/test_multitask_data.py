"""Targets of the tasks from clinical tables, and patients mixed from two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.data.targets import CLASSES, patient_targets, unknown_targets
from gliomaai_training.data.tumour_cutmix import tumour_cutmix
from gliomaai_training.diagnosis.states import LABELS, NOT_ELSEWHERE

Possible = tuple[str, ...]


def cohort(possible: list[Possible], **columns: object) -> ClinicalCohort:
    """Patients who can be in these states."""
    names = [f"P{n}" for n in range(len(possible))]
    base: dict[str, object] = {"patient": names, "case": names, "cohort": "made up"}
    return ClinicalCohort("made up", clinical_table(base | columns | state_columns(possible)))


def chosen(task: str, possible: np.ndarray) -> set[str]:
    """The classes that are possible."""
    return {name for name, can in zip(CLASSES[task], possible, strict=True) if can}


def test_a_decided_state_decides_everything_that_was_measured() -> None:
    rows = cohort(
        [("O3",)],
        idh=["mutant"],
        codeletion_1p19q=["co-deleted"],
        reported_grade=[3.0],
        months=[20.0],
        event=[1.0],
    )
    found = patient_targets(rows)["P0"]
    assert {task: chosen(task, can) for task, can in found.possible.items()} == {
        "state": {"O3"},
        "idh": {"mutant"},
        "codeletion_1p19q": {"co-deleted"},
        "grade": {"3"},
        "histology": {"lower-grade glioma"},
    }
    assert (found.months, found.event) == (20.0, True)


def test_what_is_not_known_stays_possible() -> None:
    rows = cohort([("A2", "A4"), (), (NOT_ELSEWHERE,)], idh=["mutant", None, "wild-type"])
    astrocytoma, nobody, elsewhere = patient_targets(rows).values()
    assert chosen("grade", astrocytoma.possible["grade"]) == {"2", "4"}
    assert astrocytoma.possible["codeletion_1p19q"].all()
    assert np.isnan(nobody.months)
    for task, can in unknown_targets().possible.items():
        np.testing.assert_array_equal(nobody.possible[task], can)
    assert chosen("state", elsewhere.possible["state"]) == {NOT_ELSEWHERE}
    assert elsewhere.possible["grade"].all()
    assert chosen("codeletion_1p19q", elsewhere.possible["codeletion_1p19q"]) == {"intact"}


def test_every_task_has_as_many_outputs_as_classes() -> None:
    from gliomaai_training.networks.multitask import TASK_OUTPUTS

    assert {task: len(classes) for task, classes in CLASSES.items()} == {
        task: outputs for task, outputs in TASK_OUTPUTS.items() if task != "risk"
    }
    assert CLASSES["state"] == LABELS


def patient(
    size: tuple[int, int, int], low: int, high: int, value: float, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """A brain of one value in a border of air, with a cubic tumour."""
    images = np.zeros((4, *size), np.float32)
    images[:, 1:-1, 1:-1, 1:-1] = value
    labels = np.zeros(size, np.uint8)
    labels[low:high, low:high, low:high] = label
    return images, labels


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 6))
def test_shares_are_counted_voxels_and_mixtures_are_one_or_the_other(
    seed: int, mine: int, theirs: int
) -> None:
    host = patient((18, 20, 22), 5, 5 + mine, 1.0, 1)
    donor = patient((20, 18, 24), 8, 8 + theirs, 2.0, 3)
    mixed = tumour_cutmix(host, donor, np.random.default_rng(seed))
    if mixed is None:
        return
    counts = [np.count_nonzero(mixed.labels == label) for label in (1, 3)]
    assert mixed.share == pytest.approx(counts[0] / sum(counts))
    assert 0 < mixed.share < 1
    assert set(np.unique(mixed.images)) <= {0.0, 1.0, 2.0}
    np.testing.assert_array_equal(mixed.images.any(axis=0), host[0].any(axis=0))
    assert (mixed.images[:, mixed.labels == 3] == 2.0).all()
    untouched = mixed.images[0] == host[0][0]
    np.testing.assert_array_equal(mixed.labels[untouched], host[1][untouched])


def test_mixing_happens_and_is_the_same_for_a_seed() -> None:
    host = patient((18, 20, 22), 5, 11, 1.0, 1)
    donor = patient((20, 18, 24), 6, 12, 2.0, 3)
    found = [tumour_cutmix(host, donor, np.random.default_rng(seed)) for seed in range(20)]
    shares = [one.share for one in found if one]
    assert len(shares) == 20
    assert max(shares) - min(shares) > 0.2
    again = tumour_cutmix(host, donor, np.random.default_rng(0))
    assert again is not None
    assert found[0] is not None
    np.testing.assert_array_equal(again.images, found[0].images)


def test_without_two_tumours_nothing_is_mixed() -> None:
    host, healthy = patient((12, 12, 12), 4, 8, 1.0, 1), patient((12, 12, 12), 0, 0, 1.0, 1)
    assert tumour_cutmix(host, healthy, np.random.default_rng(1)) is None
    assert tumour_cutmix(healthy, host, np.random.default_rng(1)) is None
