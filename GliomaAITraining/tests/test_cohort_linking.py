"""People who are in several tables, and splits that hold across them."""

from collections import Counter

import numpy as np
import pytest
from clinical_makers import cohort_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.linking import identities, without_shared
from gliomaai_training.cohorts.splits import fold_column, linked_folds


def survivors(name: str, patients: list[str], dead: int, **columns: object) -> ClinicalCohort:
    """A cohort whose first patients died."""
    events = [float(n < dead) for n in range(len(patients))]
    return cohort_of(name, patients, months=[1.0] * len(patients), event=events, **columns)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{n:03d}" for n in range(count)]


def test_aliases_join_rows_of_different_tables() -> None:
    first = cohort_of("first", ["TCGA-1", "TCGA-2"], aliases=["BraTS-7", None])
    second = cohort_of("second", ["scan-9", "TCGA-2"], aliases=["BraTS-7 BraTS-8", None])
    third = cohort_of("third", ["BraTS-8"])
    found = identities([first, second, third])
    assert found["TCGA-1"] == found["scan-9"] == found["BraTS-8"] == "BraTS-7"
    assert found["TCGA-2"] == "TCGA-2"


def test_without_those_who_are_in_the_other_cohort_too() -> None:
    train = cohort_of("train", ["a", "b", "c"], aliases=["x", None, None])
    test = cohort_of("test", ["x", "c", "d"])
    left = without_shared(train, [test])
    assert left.patients["patient"].tolist() == ["b"]
    assert [(step.reason, step.patients) for step in left.exclusions] == [("also in test", 2)]
    assert len(train) == 3


def test_linked_people_fall_into_one_fold() -> None:
    first = survivors("first", names("p", 40), 20, aliases=[f"s{n:03d}" for n in range(40)])
    second = survivors("second", names("s", 20) + names("z", 20), 30)
    dealt = linked_folds([first, second], 5, 3)
    for n in range(20):
        assert dealt[f"p{n:03d}"] == dealt[f"s{n:03d}"]


@settings(max_examples=20)
@given(
    st.integers(5, 60), st.integers(5, 60), st.integers(0, 30), st.integers(2, 5), st.integers(0, 9)
)
def test_folds_are_even_in_size_and_deaths(
    one: int, two: int, shared: int, folds: int, seed: int
) -> None:
    common = names("c", shared)
    cohorts = [
        survivors("one", [*names("a", one), *common], one),
        survivors("two", [*names("b", two), *common], 5),
    ]
    dealt = linked_folds(cohorts, folds, seed)
    assert set(dealt) == {*names("a", one), *names("b", two), *common}
    for cohort, people in ((0, "a"), (1, "b")):
        column = fold_column(cohorts[cohort], dealt)
        own = [p.startswith(people) for p in cohorts[cohort].patients["patient"]]
        died = np.array(own) & (cohorts[cohort].patients["event"] == 1).to_numpy()
        counts = Counter(column[died].tolist())
        sizes = [counts[fold] for fold in range(folds)]
        assert max(sizes) - min(sizes) <= 1
    everyone = Counter(dealt.values())
    assert max(everyone.values()) - min(everyone[fold] for fold in range(folds)) <= 1


@settings(max_examples=20)
@given(st.permutations(names("p", 12)), st.booleans())
def test_folds_do_not_depend_on_the_order_of_rows_or_tables(order: list[str], turned: bool) -> None:
    def dealt(patients: list[str], reverse: bool) -> dict[str, int]:
        event = [float(int(p[1:]) % 2) for p in patients]
        first = cohort_of("first", patients, months=[1.0] * 12, event=event)
        second = survivors("second", ["p001", "q"], 1)
        return linked_folds([second, first] if reverse else [first, second], 3, 7)

    assert dealt(order, turned) == dealt(names("p", 12), False)


def test_seeds_deal_differently() -> None:
    cohort = survivors("one", names("p", 50), 25)
    assert linked_folds([cohort], 5, 1) != linked_folds([cohort], 5, 2)


def test_a_death_known_to_one_table_counts() -> None:
    first = cohort_of("first", ["p", "q"])
    second = survivors("second", ["p", "q"], 2)
    assert sorted(linked_folds([first, second], 2, 1).values()) == [0, 1]


def test_stratified_by_another_column() -> None:
    idh = ["mutant"] * 9 + ["wild-type"] * 9 + [None] * 9
    cohort = cohort_of("one", names("p", 27), idh=idh)
    column = fold_column(cohort, linked_folds([cohort], 3, 1, by="idh"))
    for part in (slice(0, 9), slice(9, 18), slice(18, 27)):
        assert np.bincount(column[part]).tolist() == [3, 3, 3]


def test_splits_that_cannot_be() -> None:
    cohort = survivors("one", names("p", 9), 2)
    with pytest.raises(ValueError, match="2 deaths cannot be dealt into 3 folds"):
        linked_folds([cohort], 3, 1)
    with pytest.raises(ValueError, match="9 patients cannot be dealt into 10 folds"):
        linked_folds([cohort], 10, 1)
    with pytest.raises(ValueError, match="into 1 folds"):
        linked_folds([cohort], 1, 1)
    with pytest.raises(ValueError, match="no column 'weather'"):
        linked_folds([cohort], 2, 1, by="weather")
    with pytest.raises(ValueError, match="9 patients of one are in no fold"):
        fold_column(cohort, {"somebody": 0})
