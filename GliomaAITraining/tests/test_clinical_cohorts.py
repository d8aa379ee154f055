"""Clinical tables: what readers make of spellings, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from clinical_makers import cohort_of, write_csv, write_tcga

from gliomaai_training.cohorts import brats, lgg_slices, ucsf_pdgm
from gliomaai_training.cohorts.brats import read_brats20, read_volumes
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.dictionary import COLUMNS, VARIABLES, dictionary_markdown
from gliomaai_training.cohorts.lgg_slices import read_lgg_slices
from gliomaai_training.cohorts.simulated import read_simulated
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.simulation.facts import Facts
from gliomaai_training.simulation.outcome import Outcome
from gliomaai_training.simulation.patient import SimulatedPatient
from gliomaai_training.simulation.writer import table_row, write_table
from gliomaai_training.vocabulary import DAYS_PER_MONTH

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cohorts.md"

LGG = {
    "patient": "TCGA-XX-0001",
    "age": "40.0",
    "sex": "Female",
    "histology": "Astrocytoma",
    "grade": "G2",
    "os_months": "12.5",
    "os_status": "0:LIVING",
}
UCSF = {
    "patient": "UCSF-PDGM-9001",
    "sex": "F",
    "age": "66",
    "grade": "4",
    "who2021_diagnosis": "Glioblastoma, IDH-wildtype",
    "idh": "wildtype",
    "event": "1",
    "os_days": "365.25",
    "extent_of_resection": "STR",
}
BRATS = {
    "id": "BraTS20_Training_901",
    "patient": "BraTS20_Training_901",
    "grade": "4(HGG)",
    "subtype": "unknown",
    "age": "60.5",
    "os_days": "100.0",
    "event": "1.0",
}
SLICES = {
    "patient": "TCGA-XX-0001",
    "age": "40.0",
    "sex": "Female",
    "grade": "G2",
    "histology": "Oligodendroglioma",
    "subtype": "IDHmut-codel",
    "os_months": "1.0",
    "event": "0",
}


def tcga(data: Path, **cells: str) -> "pd.Series[object]":
    """The only row of a TCGA table."""
    write_tcga(data, [LGG | cells])
    return read_tcga(data).patients.iloc[0]


def ucsf(data: Path, **cells: str) -> "pd.Series[object]":
    write_csv(data / ucsf_pdgm.TABLE, ucsf_pdgm.COLUMNS, [UCSF | cells])
    return read_ucsf_pdgm(data).patients.iloc[0]


def brats20(data: Path, **cells: str) -> "pd.Series[object]":
    columns = (*brats.COLUMNS, "extent_of_resection")
    write_csv(data / brats.MASKS_TABLE, columns, [BRATS | cells])
    if not (data / "tables" / "tcga_glioma.csv").exists():
        write_tcga(data, [LGG])
    return read_brats20(data).patients.iloc[0]


def slices(data: Path, **cells: str) -> "pd.Series[object]":
    write_csv(data / lgg_slices.TABLE, lgg_slices.COLUMNS, [SLICES | cells])
    if not (data / "tables" / "tcga_glioma.csv").exists():
        write_tcga(data, [LGG | {"mgmt_promoter": "Methylated"}])
    return read_lgg_slices(data).patients.iloc[0]


@pytest.mark.parametrize(
    ("cells", "state", "possible", "grade"),
    [
        ({"subtype_tcga": "LGG_IDHmut-codel"}, "O2", "O2", 2),
        ({"subtype_tcga": "LGG_IDHmut-codel", "grade": "", "grade_who": "G4"}, "O3", "O3", 3),
        ({"subtype_tcga": "LGG_IDHmut-non-codel"}, None, "A2 A4", None),
        ({"subtype_tcga": "LGG_IDHmut-non-codel", "cdkn2a_cnv": "0", "cdkn2b_cnv": "-1"},
         "A2", "A2", 2),
        ({"subtype_tcga": "LGG_IDHmut-non-codel", "cdkn2b_cnv": "-2"}, "A4", "A4", 4),
        ({"subtype_tcga": "LGG_IDHwt"}, None, "GBM NEC", None),
        ({"idh": "WT (maf)", "egfr_cnv": "2"}, "GBM", "GBM", 4),
        ({"idh": "WT", "egfr_cnv": "1", "tert_promoter": "Mutant"}, "GBM", "GBM", 4),
        ({"idh": "WT", "chr7_gain_chr10_loss": "Gain chr 7 & loss chr 10"}, "GBM", "GBM", 4),
        ({"idh": "WT", "egfr_cnv": "1", "tert_promoter": "WT",
          "chr7_gain_chr10_loss": "No combined CNA"}, None, "NEC", None),
        ({"grade": "", "histology": "Glioblastoma Multiforme"}, None, "GBM A4", 4),
        ({"grade": "", "histology": "Glioblastoma Multiforme", "subtype_tcga": "GBM_IDHwt"},
         "GBM", "GBM", 4),
        ({"grade": "", "histology": "Glioblastoma Multiforme",
          "subtype_tcga": "GBM_IDHmut-non-codel"}, "A4", "A4", 4),
        ({"who2021_diagnosis": "Astrocytoma, IDH-mutant. Grade 3.", "idh": "mutant (maf)"},
         "A3", "A3", 3),
        ({"who2021_diagnosis": "Astrocytoma, IDH-mutant. Grade NA.", "idh": "Mutant",
          "codel_1p19q": "non-codel", "cdkn2a_cnv": "unknown"}, None, "A2 A4", None),
    ],
)  # fmt: skip
def test_tcga_states(
    tmp_path: Path, cells: dict[str, str], state: str | None, possible: str | None, grade: int
) -> None:
    row = tcga(tmp_path, **cells)
    assert (row["who_state"], row["possible_states"]) == (state, possible)
    assert row["grade"] == grade if grade else np.isnan(row["grade"])


def test_tcga_row(tmp_path: Path) -> None:
    row = tcga(tmp_path, age="", age_who="44.0", codel_1p19q="unknown", mgmt_promoter="unknown")
    assert row[["site", "age_years", "sex", "months", "event"]].tolist() == [
        "XX", 44.0, "F", 12.5, 0.0,
    ]  # fmt: skip
    assert row["idh"] is row["codeletion_1p19q"] is row["mgmt"] is row["resection"] is None
    assert np.isnan(row["kps"])


@pytest.mark.parametrize(
    ("cells", "idh", "codeletion", "state"),
    [
        ({}, "wild-type", None, "GBM"),
        ({"codel_1p19q": "intact"}, "wild-type", "intact", "GBM"),
        ({"who2021_diagnosis": "Astrocytoma, IDH-mutant", "idh": "IDH1 p.Arg132His",
          "codel_1p19q": "relative co-deletion"}, "mutant", None, "A4"),
        ({"who2021_diagnosis": "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted", "grade": "2",
          "idh": "IDH2 p.R172K", "codel_1p19q": "relative co-deletion"},
         "mutant", "co-deleted", "O2"),
        ({"who2021_diagnosis": "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted", "grade": "3",
          "idh": "mutated (NOS)", "codel_1p19q": "Co-deletion"}, "mutant", "co-deleted", "O3"),
        ({"who2021_diagnosis": "Astrocytoma, IDH-wildtype", "grade": "2"},
         "wild-type", None, None),
    ],
)  # fmt: skip
def test_ucsf_states(
    tmp_path: Path, cells: dict[str, str], idh: str, codeletion: str | None, state: str | None
) -> None:
    row = ucsf(tmp_path, **cells)
    assert row[["idh", "codeletion_1p19q", "who_state"]].tolist() == [idh, codeletion, state]


def test_ucsf_row(tmp_path: Path) -> None:
    row = ucsf(tmp_path, brats21_id="BraTS2021_99999", mgmt_status="indeterminate")
    assert row["months"] == pytest.approx(12.0)
    assert row["resection"] == "subtotal"
    assert row["aliases"] == "BraTS2021_99999"
    assert row["mgmt"] is None


def test_an_event_without_a_time_is_unknown_survival(tmp_path: Path) -> None:
    row = ucsf(tmp_path, os_days="")
    assert np.isnan(row["months"])
    assert np.isnan(row["event"])


def test_brats_row(tmp_path: Path) -> None:
    row = brats20(tmp_path, extent_of_resection="GTR")
    assert row["months"] == 100.0 / DAYS_PER_MONTH
    assert row["possible_states"] == "GBM A4"
    assert row["resection"] == "gross total"
    assert row["site"] is row["sex"] is row["aliases"] is None


def test_brats_takes_from_tcga_what_it_does_not_know(tmp_path: Path) -> None:
    write_tcga(tmp_path, [LGG | {"subtype_tcga": "LGG_IDHmut-codel"}])
    row = brats20(tmp_path, patient="TCGA-XX-0001", grade="2/3(LGG)", age="", os_days="50.0")
    assert row["patient"] == "TCGA-XX-0001"
    assert row["aliases"] == "BraTS20_Training_901"
    assert row[["age_years", "sex", "histology", "who_state"]].tolist() == [
        40.0, "F", "astrocytoma", "O2",
    ]  # fmt: skip
    assert row["months"] == 50.0 / DAYS_PER_MONTH  # survival is not mixed


def test_tables_that_contradict_each_other(tmp_path: Path) -> None:
    write_tcga(tmp_path, [LGG | {"subtype_tcga": "LGG_IDHmut-codel"}])
    with pytest.raises(ValueError, match="contradict each other on idh"):
        brats20(tmp_path, patient="TCGA-XX-0001", subtype="IDHwt")
    diagnosis = "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade 2."
    write_tcga(tmp_path, [LGG | {"who2021_diagnosis": diagnosis}])
    with pytest.raises(ValueError, match="one table says A4, the other O2"):
        brats20(tmp_path, patient="TCGA-XX-0001", subtype="IDHmut-noncodel")


def test_volumes(tmp_path: Path) -> None:
    row = BRATS | {"id": "vol-901", "source_case": "Brats18_X_1"}
    write_csv(tmp_path / brats.VOLUMES_TABLE, (*brats.COLUMNS, "source_case"), [row])
    write_tcga(tmp_path, [LGG])
    read = read_volumes(tmp_path).patients.iloc[0]
    assert read[["case", "patient", "aliases"]].tolist() == [
        "vol-901", "BraTS20_Training_901", "Brats18_X_1",
    ]  # fmt: skip


def test_slices(tmp_path: Path) -> None:
    row = slices(tmp_path)
    assert row[["who_state", "codeletion_1p19q", "mgmt"]].tolist() == [
        "O2", "co-deleted", "methylated",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "cells", "message"),
    [
        (tcga, {"idh": "mut?"}, "column idh, row 1: 'mut\\?' is not mapped"),
        (tcga, {"codel_1p19q": "CODEL"}, "'CODEL' is not mapped"),
        (tcga, {"who2021_diagnosis": "Glioblastoma"}, "'Glioblastoma' is not mapped"),
        (tcga, {"subtype_tcga": "LGG"}, "'LGG' is not mapped"),
        (tcga, {"age": "400"}, "column age, row 1: 400 is not possible"),
        (tcga, {"age": "nan"}, "nan is not possible"),
        (tcga, {"age": "forty"}, "'forty' is no number"),
        (tcga, {"os_months": "-1"}, "column os_months, row 1: -1 is not possible"),
        (tcga, {"os_months": ""}, "events without times"),
        (tcga, {"os_status": ""}, "events without times"),
        (tcga, {"idh": "WT", "codel_1p19q": "codel"}, "wild-type with 1p/19q co-deletion"),
        (tcga, {"who2021_diagnosis": "Glioblastoma, IDH-wildtype. Grade 4.", "idh": "Mutant"},
         "GBM contradicts IDH mutant"),
        (ucsf, {"idh": "IDH1 p.R132X"}, "'IDH1 p.R132X' is not mapped"),
        (ucsf, {"grade": "2"}, "'Glioblastoma, IDH-wildtype, 2' is not mapped"),
        (ucsf, {"os_days": "-3"}, "-3 is not possible"),
        (ucsf, {"event": "2"}, "'2' is not mapped"),
        (ucsf, {"sex": "X"}, "'X' is not mapped"),
        (ucsf, {"extent_of_resection": "NTR"}, "'NTR' is not mapped"),
        (ucsf, {"idh": "mutated (NOS)"}, "GBM contradicts IDH mutant"),
        (brats20, {"grade": "HGG"}, "'HGG' is not mapped"),
        (brats20, {"os_days": "ALIVE"}, "'ALIVE' is no number"),
        (brats20, {"subtype": "IDH"}, "'IDH' is not mapped"),
        (slices, {"histology": "Ependymoma"}, "'Ependymoma' is not mapped"),
        (slices, {"event": ""}, "events without times"),
    ],
)  # fmt: skip
def test_what_readers_refuse(
    tmp_path: Path, read: Callable[..., object], cells: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, **cells)
    assert "TCGA-XX" not in str(error.value)
    assert "9001" not in str(error.value)


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is the data root right"):
        read_tcga(tmp_path)
    write_csv(tmp_path / "tables" / "tcga_glioma.csv", ["patient"], [{"patient": "A"}])
    with pytest.raises(ValueError, match="lacks the columns age, age_who"):
        read_tcga(tmp_path)
    write_tcga(tmp_path, [])
    with pytest.raises(ValueError, match="has no rows"):
        read_tcga(tmp_path)
    write_tcga(tmp_path, [LGG, LGG])
    with pytest.raises(ValueError, match="lists 1 patients more than once"):
        read_tcga(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age_years": [-1.0, 20.0]}, "age_years cannot be"),
        ({"age_years": [400.0, 20.0]}, "400.*it is 0 to 120 years"),
        ({"months": [-0.5, 1.0], "event": [1.0, 1.0]}, "months cannot be"),
        ({"months": [np.inf, 1.0], "event": [1.0, 1.0]}, "months cannot be"),
        ({"months": [1.0, 1.0], "event": [1.0, 2.0]}, "event cannot be"),
        ({"months": [1.0, 1.0], "event": [1.0, np.nan]}, "times without events"),
        ({"sex": ["F", "Female"]}, "sex cannot be 'Female': it is F, M"),
        ({"kps": [95.0, 90.0]}, "kps cannot be"),
        ({"grade": [1.0, 2.0]}, "grade cannot be"),
        ({"idh": [1, "mutant"]}, "idh cannot be 1"),
        ({"possible_states": ["A2 B4", None]}, "unknown to WHO 2021"),
        ({"who_state": ["GBM", None]}, "possible_states"),
        ({"case": ["a", None]}, "case is unknown for 1"),
        ({"weight": [1, 2]}, "no columns weight"),
    ],
)
def test_what_a_clinical_table_refuses(columns: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cohort_of("made up", ["p", "q"], **columns)


def test_a_table_of_another_form() -> None:
    with pytest.raises(ValueError, match="a clinical table has the columns patient, case"):
        ClinicalCohort("made up", pd.DataFrame({"patient": ["p"]}))


def test_unknown_is_none_in_texts_and_nan_in_numbers() -> None:
    patients = cohort_of("made up", ["p"], sex=[np.nan], idh=pd.Series([pd.NA])).patients
    for variable in VARIABLES:
        value = patients[variable.name].iloc[0]
        if variable.numeric:
            assert patients[variable.name].dtype == np.float64
            assert np.isnan(value)
        else:
            assert value is None or isinstance(value, str)


def test_survival_of_a_cohort() -> None:
    cohort = cohort_of("made up", ["p", "q"], months=[3.0, np.nan], event=[1.0, np.nan])
    assert (len(cohort), cohort.events) == (2, 1)
    with pytest.raises(ValueError, match="survival of 1 patients"):
        cohort.outcome()
    outcome = cohort.keep(np.array([True, False]), "unknown").outcome()
    assert outcome.months.tolist() == [3.0]
    assert outcome.event.tolist() == [True]


def simulated(seed: int, state: str | None) -> SimulatedPatient:
    """A simulated patient without images."""
    voxel = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    facts = Facts(state, 50.0, "F", 80, gross_total_resection=False, mgmt_methylated=True)
    outcome = Outcome(30.5, True, 30.5, 0.1, 0.2) if state else None
    return SimulatedPatient(seed, {}, voxel, voxel, facts, outcome, {})


def test_simulated_patients_are_a_cohort(tmp_path: Path) -> None:
    rows = [table_row(simulated(4, "O3")), table_row(simulated(5, None))]
    cohort = read_simulated(write_table(rows, tmp_path))
    assert [(step.reason, step.patients) for step in cohort.exclusions] == [("tumour-free", 1)]
    row = cohort.patients.iloc[0]
    facts = ["who_state", "idh", "codeletion_1p19q", "age_years", "kps", "mgmt", "months", "event"]
    assert row[facts].tolist() == [
        "O3", "mutant", "co-deleted", 50.0, 80.0, "methylated", 30.5, 1.0,
    ]  # fmt: skip


def test_the_documentation_holds_the_dictionary() -> None:
    assert dictionary_markdown() in DOCUMENT.read_text(encoding="utf-8")
    assert len(set(COLUMNS)) == len(COLUMNS)
