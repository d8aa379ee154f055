"""The readers on the real tables; every count here was made from the raw tables by hand."""

from pathlib import Path

import numpy as np
import pytest

from gliomaai_training.cohorts import tcga
from gliomaai_training.cohorts.brats import read_brats20, read_volumes
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import flow_table, with_known, with_survival
from gliomaai_training.cohorts.lgg_slices import read_lgg_slices
from gliomaai_training.cohorts.linking import without_shared
from gliomaai_training.cohorts.splits import fold_column, linked_folds
from gliomaai_training.cohorts.table_one import table_one
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.cohorts.values import first_known, read_text_table, translate
from gliomaai_training.diagnosis.states import TissueFacts, classify

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "tables" / "tcga_glioma.csv").is_file(),
    reason="the real tables (../shared/data) are not here",
)


@pytest.fixture(scope="module")
def cohorts() -> dict[str, ClinicalCohort]:
    readers = (read_tcga, read_ucsf_pdgm, read_brats20, read_lgg_slices, read_volumes)
    return {cohort.name: cohort for cohort in (read(DATA) for read in readers)}


def counts(cohort: ClinicalCohort, column: str) -> dict[str, int]:
    return {str(key): int(n) for key, n in cohort.patients[column].value_counts().items()}


@pytest.mark.parametrize(
    ("name", "size", "with_time", "deaths"),
    [
        ("TCGA", 1047, 1036, 571),
        ("UCSF-PDGM", 363, 362, 181),
        ("BraTS20", 278, 235, 193),
        ("BraTS volumes", 34, 29, 24),
        ("TCGA-LGG slices", 79, 79, 23),
    ],
)
def test_sizes_and_deaths(
    cohorts: dict[str, ClinicalCohort], name: str, size: int, with_time: int, deaths: int
) -> None:
    cohort = cohorts[name]
    assert len(cohort) == size
    assert int(cohort.patients["months"].notna().sum()) == with_time
    assert cohort.events == deaths
    assert (cohort.patients["cohort"] == name).all()


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("TCGA", {"GBM": 325, "A2": 97, "A3": 81, "A4": 30, "O2": 91, "O3": 72}),
        ("UCSF-PDGM", {"GBM": 270, "A2": 25, "A3": 20, "A4": 21, "O2": 7, "O3": 2}),
        ("BraTS20", {"GBM": 46, "A2": 14, "A3": 16, "A4": 2, "O2": 4, "O3": 4}),
        ("TCGA-LGG slices", {"GBM": 14, "A2": 21, "A3": 18, "A4": 1, "O2": 12, "O3": 7}),
    ],
)
def test_states(cohorts: dict[str, ClinicalCohort], name: str, states: dict[str, int]) -> None:
    assert counts(cohorts[name], "who_state") == states


def test_facts_of_tcga(cohorts: dict[str, ClinicalCohort]) -> None:
    cohort = cohorts["TCGA"]
    assert counts(cohort, "idh") == {"mutant": 418, "wild-type": 355}
    assert counts(cohort, "codeletion_1p19q") == {"intact": 525, "co-deleted": 163}
    assert counts(cohort, "sex") == {"M": 435, "F": 331}
    assert counts(cohort, "mgmt") == {"methylated": 410, "unmethylated": 147}
    assert int(cohort.patients["age_years"].notna().sum()) == 872
    undecided = cohort.patients[cohort.patients["who_state"].isna()]
    possible = undecided["possible_states"].value_counts()
    assert possible[["GBM A4", "A2 A4", "A3 A4"]].tolist() == [271, 25, 21]
    assert possible["GBM NEC"] == 30
    assert undecided["possible_states"].notna().all()


def test_facts_of_ucsf(cohorts: dict[str, ClinicalCohort]) -> None:
    cohort = cohorts["UCSF-PDGM"]
    assert counts(cohort, "idh") == {"wild-type": 288, "mutant": 75}
    assert counts(cohort, "codeletion_1p19q") == {"intact": 292, "co-deleted": 9}
    assert counts(cohort, "resection") == {"gross total": 187, "subtotal": 138, "biopsy": 37}
    assert cohort.patients["months"].max() == pytest.approx(4177 / 30.4375)
    wild_type = cohort.patients[cohort.patients["who_state"].isna()]
    assert len(wild_type) == 18
    assert set(wild_type["idh"]) == {"wild-type"}
    assert set(wild_type["possible_states"]) == {"GBM NEC"}


def test_the_rules_agree_with_every_published_diagnosis() -> None:
    """614 diagnoses of WHO 2021 with a grade, by a published review, from the molecular facts."""
    rows = read_text_table(DATA / tcga.TABLE, tcga.COLUMNS)
    published = translate(rows["who2021_diagnosis"], tcga.WHO_2021)
    grade = first_known(
        translate(rows["grade"], tcga.GRADE), translate(rows["grade_who"], tcga.GRADE)
    )
    facts = zip(
        translate(rows["idh"], tcga.IDH),
        translate(rows["codel_1p19q"], tcga.CODELETION),
        grade,
        tcga.homozygous_cdkn2a_deletion(rows),
        tcga.glioblastoma_marker(rows),
        strict=True,
    )
    decided = [
        (said, classify(TissueFacts(*tissue)))
        for said, tissue in zip(published, facts, strict=True)
        if said is not None and len(said) == 1
    ]
    assert len(decided) == 614
    assert [found for said, found in decided if found != said] == []


def test_one_key_across_the_tables(cohorts: dict[str, ClinicalCohort]) -> None:
    everyone = set(cohorts["TCGA"].patients["patient"])
    brats = set(cohorts["BraTS20"].patients["patient"])
    slices = set(cohorts["TCGA-LGG slices"].patients["patient"])
    assert len(brats & everyone) == 117
    assert len(slices & everyone) == 79
    assert len(slices & brats) == 42
    assert set(cohorts["BraTS volumes"].patients["patient"]) <= brats
    others = [cohorts["BraTS20"], cohorts["TCGA-LGG slices"]]
    assert len(without_shared(cohorts["TCGA"], others)) == 1047 - (117 + 79 - 42)


def test_survival_of_the_same_patient_is_the_same(cohorts: dict[str, ClinicalCohort]) -> None:
    source = cohorts["TCGA"].patients.set_index("patient")
    for name in ("BraTS20", "TCGA-LGG slices"):
        both = (
            with_survival(cohorts[name])
            .patients.set_index("patient")
            .join(source[["months", "event"]], rsuffix="_tcga", how="inner")
        )
        assert len(both) > 70
        np.testing.assert_allclose(both["months"], both["months_tcga"], rtol=1e-3)
        assert (both["event"] == both["event_tcga"]).all()


def test_who_was_left_out(cohorts: dict[str, ClinicalCohort]) -> None:
    needed = ["age_years", "sex", "who_state"]
    flows = [with_known(with_survival(cohorts[name]), needed) for name in ("TCGA", "UCSF-PDGM")]
    table = flow_table(flows)
    assert table["TCGA"].tolist() == [
        "1047", "-11", "-4", "-170", "-100", "-179", "583", "215",
    ]  # fmt: skip
    assert table["UCSF-PDGM"].tolist() == ["363", "-1", "0", "0", "0", "-18", "344", "170"]


def test_folds_across_all_tables(cohorts: dict[str, ClinicalCohort]) -> None:
    dealt = linked_folds(list(cohorts.values()), 5, 1)
    assert len(dealt) == 1571
    for cohort in cohorts.values():
        column = fold_column(cohort, dealt)
        deaths = np.bincount(column[(cohort.patients["event"] == 1).to_numpy()], minlength=5)
        assert deaths.max() - deaths.min() <= 4
        assert deaths.min() >= 1


def test_table_one_of_real_cohorts(cohorts: dict[str, ClinicalCohort]) -> None:
    names = ("TCGA", "UCSF-PDGM")
    one = table_one([cohorts[name] for name in names], np.random.default_rng(1))
    rows = one.table.set_index("characteristic")
    assert rows.loc["age, years, median (quartiles)", "UCSF-PDGM"] == "59 (48 to 68)"
    assert rows.loc["- GBM", "TCGA"] == "325 (46.7 %)"
    assert rows.loc["resection", "p"] == ""
