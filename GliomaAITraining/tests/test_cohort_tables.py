"""Table 1, the flow of patients and adjusted p values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clinical_makers import cohort_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import (
    adults,
    flow_table,
    with_known,
    with_survival,
    with_values,
)
from gliomaai_training.cohorts.table_one import TableOne, table_one, write_table_one
from gliomaai_training.evaluation.multiplicity import holm


def cohort(name: str, seed: int, count: int, **columns: object) -> ClinicalCohort:
    rng = np.random.default_rng(seed)
    known = {
        "age_years": rng.normal(50.0, 10.0, count),
        "sex": rng.choice(["F", "M"], count).tolist(),
        "months": rng.exponential(20.0, count),
        "event": rng.integers(0, 2, count).astype(float),
    }
    return cohort_of(name, [f"{name}-{n}" for n in range(count)], **(known | columns))


def described(*cohorts: ClinicalCohort) -> TableOne:
    return table_one(cohorts, np.random.default_rng(1))


def row(one: TableOne, characteristic: str) -> pd.Series:
    found = one.table[one.table["characteristic"] == characteristic]
    assert len(found) == 1
    return found.iloc[0]


def test_numbers_of_two_and_of_three_cohorts() -> None:
    a, b, c = (cohort(name, seed, 30) for seed, name in enumerate("abc"))
    ages = [one.patients["age_years"].to_numpy() for one in (a, b, c)]
    two = row(described(a, b), "age, years, median (quartiles)")
    assert two["test"] == "Mann-Whitney"
    assert two["p"] == f"{stats.mannwhitneyu(ages[0], ages[1]).pvalue:.3f}"
    three = row(described(a, b, c), "age, years, median (quartiles)")
    assert three["test"] == "Kruskal-Wallis"
    assert three["p"] == f"{stats.kruskal(*ages).pvalue:.3f}"
    low, middle, high = np.percentile(ages[0], [25, 50, 75])
    assert three["a"] == f"{middle:.0f} ({low:.0f} to {high:.0f})"


def test_categories_by_chi_squared() -> None:
    a = cohort("a", 1, 40, sex=["F"] * 30 + ["M"] * 10)
    b = cohort("b", 2, 42, sex=["F"] * 20 + ["M"] * 20 + [None] * 2)
    one = described(a, b)
    sex = row(one, "sex")
    assert sex["test"] == "chi-squared"
    expected = stats.chi2_contingency([[30, 10], [20, 20]], correction=False).pvalue
    assert sex["p"] == f"{expected:.3f}"
    assert row(one, "- F")["a"] == "30 (75.0 %)"
    assert row(one, "- F")["b"] == "20 (50.0 %)"
    unknown = one.table[one.table["characteristic"] == "- unknown"]
    assert unknown["b"].tolist() == ["0 (0.0 %)", "2 (4.8 %)"]


def test_few_patients_are_compared_by_fisher() -> None:
    a = cohort("a", 1, 8, sex=["F"] * 7 + ["M"])
    b = cohort("b", 2, 7, sex=["F"] + ["M"] * 6)
    sex = row(described(a, b), "sex")
    assert sex["test"] == "Fisher"
    assert sex["p"] == f"{stats.fisher_exact([[7, 1], [1, 6]]).pvalue:.3f}"


def test_few_patients_of_many_kinds_are_compared_by_random_tables() -> None:
    """Against all tables of the same margins."""
    counts = ([5, 1, 0], [1, 4, 1], [0, 1, 6])
    words = ("biopsy", "subtotal", "gross total")
    cohorts = [
        cohort(name, seed, sum(of), resection=[w for w, n in zip(words, of, strict=True)
                                               for _ in range(n)])
        for seed, (name, of) in enumerate(zip("abc", counts, strict=True))
    ]  # fmt: skip
    found = row(described(*cohorts), "resection")
    assert found["test"] == "chi-squared, random tables"
    assert float(found["p"]) == pytest.approx(_enumerated_p(np.array(counts)), abs=0.004)


def _enumerated_p(counts: np.ndarray) -> float:
    """The exact p of the chi-squared statistic: all 3x3 tables of these margins."""
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    expected = np.outer(rows, columns) / counts.sum()
    distribution = stats.random_table(rows, columns)
    reached = ((counts - expected) ** 2 / expected).sum() * (1 - 1e-12)
    total = 0.0
    for a in range(rows[0] + 1):
        for b in range(rows[0] + 1 - a):
            for d in range(rows[1] + 1):
                for e in range(rows[1] + 1 - d):
                    first = [a, b, rows[0] - a - b]
                    second = [d, e, rows[1] - d - e]
                    third = columns - first - second
                    if (third < 0).any():
                        continue
                    table = np.array([first, second, third])
                    if ((table - expected) ** 2 / expected).sum() >= reached:
                        total += distribution.pmf(table)
    return total


def test_what_only_one_cohort_knows_is_described_and_not_compared() -> None:
    a = cohort("a", 1, 20, kps=[80.0] * 10 + [90.0] * 10)
    b = cohort("b", 2, 20)
    one = described(a, b)
    kps = row(one, "KPS, median (quartiles)")
    assert (kps["a"], kps["b"], kps["p"]) == ("85 (80 to 90)", "", "")
    assert "resection" not in one.table["characteristic"].tolist()


def test_holm_counts_all_tests_of_the_table() -> None:
    a = cohort("a", 1, 30, age_years=np.linspace(20, 60, 30), sex=["F"] * 15 + ["M"] * 15)
    b = cohort("b", 2, 30, age_years=np.linspace(28, 68, 30), sex=["F"] * 17 + ["M"] * 13)
    one = described(a, b)
    age, sex = row(one, "age, years, median (quartiles)"), row(one, "sex")
    assert float(age["p (Holm)"]) == pytest.approx(2 * float(age["p"]), abs=0.001)
    assert sex["p (Holm)"] == sex["p"]


def test_deaths_and_follow_up() -> None:
    a = cohort("a", 1, 5, months=[2, 4, 6, 8, np.nan], event=[1, 0, 0, 0, np.nan])
    one = described(a)
    assert row(one, "died")["a"] == "1 (25.0 %)"
    assert row(one, "- survival unknown")["a"] == "1 (20.0 %)"
    # Three are followed to 4, 6 and 8 months: after 4 two thirds, after 6 one third remain.
    assert row(one, "median follow-up, months")["a"] == "6.0"
    nobody = cohort("b", 1, 2, months=[np.nan] * 2, event=[np.nan] * 2)
    assert row(described(nobody), "median follow-up, months")["b"] == ""


def test_shared_patients_are_noted(tmp_path: Path) -> None:
    a = cohort("a", 1, 6)
    b = ClinicalCohort("b", a.patients.head(4), limits=("b: made up.",))
    one = described(a, b)
    assert any("10 rows are 6 people" in note for note in one.notes)
    csv_file, markdown_file = write_table_one(one, tmp_path / "table-1")
    assert pd.read_csv(csv_file).shape == one.table.shape
    text = markdown_file.read_text()
    assert "- b: made up.\n" in text
    assert text.startswith("| characteristic | a | b | p | p (Holm) | test |")


def test_tables_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="different names"):
        described()
    with pytest.raises(ValueError, match="different names"):
        described(cohort("a", 1, 3), cohort("a", 2, 3))
    with pytest.raises(ValueError, match="a has no patients"):
        described(cohort("a", 1, 3).keep(np.zeros(3, np.bool_), "all"))


def test_the_flow_of_patients() -> None:
    a = cohort_of(
        "a",
        list("pqrst"),
        months=[np.nan, 0.0, 0.0, 5.0, 6.0],
        event=[np.nan, 0.0, 1.0, 1.0, 0.0],
        age_years=[50.0, 50.0, 50.0, np.nan, 12.0],
    )
    b = cohort_of("b", ["u"], months=[1.0], event=[1.0], sex=["F"])
    flows = [adults(with_known(with_survival(a), ["age_years"])),
             with_values(with_survival(b), "sex", ["F"])]  # fmt: skip
    table = flow_table(flows)
    assert table["step"].tolist() == [
        "in the table", "survival unknown", "censored at 0 months", "age_years unknown",
        "younger than 18 years", "sex unknown", "sex not F", "analysed", "of whom died",
    ]  # fmt: skip
    assert table["a"].tolist() == ["5", "-1", "-1", "-1", "-1", "", "", "1", "1"]
    assert table["b"].tolist() == ["1", "0", "0", "", "", "0", "0", "1", "1"]
    # Who died on the first day was at risk, and stays.
    assert flows[0].patients["patient"].tolist() == ["r"]
    assert len(a) == 5


def test_adults_of_unknown_age_stay() -> None:
    a = cohort_of("a", ["p", "q"], age_years=[np.nan, 17.9])
    assert adults(a).patients["patient"].tolist() == ["p"]


def test_flows_that_cannot_be() -> None:
    a = cohort("a", 1, 3)
    with pytest.raises(ValueError, match="different names"):
        flow_table([a, a])
    with pytest.raises(ValueError, match="no columns weather"):
        with_known(a, ["weather"])


def test_holm_by_hand() -> None:
    # 4 x .005, 3 x .01, 2 x .03, and .04 not below the one before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, np.nan])


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_never_lowers(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
