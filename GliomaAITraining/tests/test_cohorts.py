"""Manifests and splits: patients never fall on both sides."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.cohorts.splits import patient_folds, split_fold


def case(name: str, patient: str) -> CaseFiles:
    return CaseFiles(name, patient, "cohort", {}, None)


@given(
    st.lists(st.sampled_from("ABCDEFGHIJ"), min_size=1, max_size=40),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_folds_part_patients(patients: list[str], folds: int, seed: int) -> None:
    cases = [case(str(number), patient) for number, patient in enumerate(patients)]
    if len(set(patients)) < folds:
        with pytest.raises(ValueError, match="cannot be dealt"):
            patient_folds(patients, folds, seed)
        return
    tested: list[str] = []
    for fold in range(folds):
        train, test = split_fold(cases, folds, fold, seed)
        assert not {c.patient for c in train} & {c.patient for c in test}
        assert len(train) + len(test) == len(cases)
        tested += [c.case for c in test]
    assert sorted(tested) == sorted(c.case for c in cases)


@given(st.permutations("ABCDEFGH"))
def test_folds_do_not_depend_on_the_order_of_rows(patients: list[str]) -> None:
    assert patient_folds(patients, 3, 5) == patient_folds("ABCDEFGH", 3, 5)


def test_fold_sizes_differ_by_at_most_one() -> None:
    folds = list(patient_folds([str(n) for n in range(34)], 5, 1).values())
    sizes = [folds.count(fold) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1


def test_no_such_fold() -> None:
    with pytest.raises(ValueError, match="fold 3 of 3"):
        split_fold([case(p, p) for p in "ABC"], 3, 3, 1)


def test_manifest_reads_cases(tiny_cohort: Path) -> None:
    cases = read_manifest(tiny_cohort, "tiny")
    assert [c.patient for c in cases] == ["A", "B", "C", "D", "E", "A"]
    assert set(cases[0].sequences) == {"t1", "t1gd", "t2", "flair"}
    assert cases[0].segmentation is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\ncase-00\n", "patient"),
        ("id,patient\ncase-00,A\ncase-00,B\n", "twice"),
        ("id,patient\nnowhere,A\n", "none of"),
    ],
)
def test_wrong_manifests_are_refused(tiny_cohort: Path, content: str, message: str) -> None:
    tiny_cohort.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(tiny_cohort, "tiny")
