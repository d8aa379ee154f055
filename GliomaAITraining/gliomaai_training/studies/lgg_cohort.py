"""Who is in the study of lower-grade glioma, and what is known of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.brats import MASKS_TABLE, read_brats20
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import with_known, with_survival, with_values
from gliomaai_training.cohorts.lgg_slices import TABLE as SLICES_TABLE
from gliomaai_training.cohorts.lgg_slices import read_lgg_slices
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.cohorts.values import read_text_table, translate
from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.cache import code_version
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies import slice_features
from gliomaai_training.studies.postoperative_models import Part
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.studies.tumour_tables import mask_measures, read_mask
from gliomaai_training.survival.term_plan import CategoricalPlan, NumericPlan

NAME, IMAGED, EXTERNAL = "TCGA-LGG", "TCGA-LGG with slices", "UCSF-PDGM, grade 2 and 3"
HISTOLOGIES = ("oligodendroglioma", "oligoastrocytoma", "astrocytoma")
GRADES = (2.0, 3.0)
MERGED_STATES = {"A3": "A3 or A4", "A4": "A3 or A4"}
"""Grade 4 is one of molecules here, and too rare for a level of its own."""
SIGNATURE_COLUMN, GROUP = "signature", "idh_group"
MISSING = {"True": True, "False": False}
ENHANCING_ML = 0.1
"""With less enhancing tumour than this in its mask, nothing enhances."""

GRADE = CategoricalPlan("tumour_grade", "grade", ("2", "3"), "2")
HISTOLOGY = CategoricalPlan("histology", "histology", HISTOLOGIES, HISTOLOGIES[0])
STATE = CategoricalPlan("state", "WHO 2021", ("O2", "O3", "A2", "A3 or A4", "GBM"), "A2")
SIGNATURE = NumericPlan(SIGNATURE_COLUMN, "signature", "", (-50.0, 50.0), reference=0.0)
SIDE = CategoricalPlan("laterality_code", "side, by its code", ("1", "3"), "1")
LOCATION = CategoricalPlan("location_code", "location, by its code", ("2", "5", "6"), "2")
VOLUME = NumericPlan(
    "wt_ml", "volume of the tumour", "mL", (0.0, 1000.0), scale=float(np.log(2)), transform="log1p"
)
ENHANCEMENT = CategoricalPlan("enhancement", "enhancement", ("no", "yes"), "no")


@dataclass(frozen=True, eq=False)
class Lgg:
    """The cohorts."""

    cohort: ClinicalCohort
    """All of TCGA-LGG."""
    imaged_cohort: ClinicalCohort
    everyone: Part
    rest: Part
    """Those of whom there are no slices of all sequences."""
    imaged: Part
    features: pd.DataFrame
    """(n, p) of the imaged, in their order."""
    masks: Part
    """Those with a three-dimensional expert segmentation."""
    external_cohort: ClinicalCohort
    external: Part


def read_lgg(settings: StudySettings, progress: Progress = silent) -> Lgg:
    """Reads and measures.

    Raises:
        ValueError: a table or file is missing or cannot be read.
    """
    whole = replace(read_tcga(settings.data), name=NAME)
    cohort = _lower_grade(with_values(with_survival(whole), "histology", HISTOLOGIES))
    everyone = _part(cohort)
    slices = with_survival(replace(read_lgg_slices(settings.data), name=IMAGED))
    slices = slices.keep(
        slices.patients["patient"].isin(cohort.patients["patient"]).to_numpy(),
        "not among the analysed of TCGA-LGG",
    )
    facts = _slice_facts(settings.data).reindex(slices.patients["patient"])
    slices = slices.keep(facts["complete"].to_numpy(bool), "T1 or T1Gd missing")
    measured = measured_slices(settings, slices.patients["patient"].tolist(), progress)
    large = slices.patients["patient"].isin(measured.index).to_numpy()
    slices = slices.keep(large, f"fewer than {slice_features.LEAST_PIXELS} pixels in every slice")
    order = slices.patients["patient"].tolist()
    imaged = _rows(everyone, order)
    # The side and the place are known of these patients only.
    table = pd.concat(
        [
            imaged.table,
            facts.loc[order, ["laterality_code", "location_code"]].reset_index(drop=True),
        ],
        axis=1,
    )
    features = measured.loc[order].reset_index(drop=True)
    external = _lower_grade(with_survival(replace(read_ucsf_pdgm(settings.data), name=EXTERNAL)))
    return Lgg(
        cohort,
        slices,
        everyone,
        everyone.take(~everyone.table["patient"].isin(order).to_numpy()),
        Part(table, imaged.followed),
        features[features.columns[np.isfinite(features.to_numpy()).all(axis=0)]],
        _masks(everyone, settings.data),
        external,
        _part(with_known(external, ["idh"])),
    )


def measured_slices(
    settings: StudySettings, patients: Sequence[str], progress: Progress = silent
) -> pd.DataFrame:
    """`slice_features` by patient; those whose tumour is too small are not there.

    Raises:
        ValueError: a file is missing or cannot be measured.
    """
    code = code_version() + Path(slice_features.__file__).read_text("utf-8")
    digest = hashlib.sha256(code.encode()).hexdigest()[:12]
    file = None if settings.cache is None else settings.cache / f"lgg-slices-{digest}.csv"
    if file is not None and file.is_file():
        known = pd.read_csv(file, index_col="patient")
        if set(patients) <= set(known.index):
            return known.loc[list(patients)].dropna(how="all")
    rows = []
    for number, patient in enumerate(patients, start=1):
        slices = slice_features.read_slices(settings.data / SLICES_TABLE.parent / f"{patient}.npz")
        rows.append(slice_features.slice_features(slices) or {})
        progress("slices", number / len(patients))
    table = pd.DataFrame(rows, index=pd.Index(patients, name="patient"))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file)
    return table.dropna(how="all")


def _lower_grade(cohort: ClinicalCohort) -> ClinicalCohort:
    return with_known(with_values(cohort, "reported_grade", GRADES), ["age_years", "sex"])


def _part(cohort: ClinicalCohort) -> Part:
    table, followed = c.study_table(cohort)
    table[GRADE.name] = [f"{grade:.0f}" for grade in table["reported_grade"]]
    table[STATE.name] = table["who_state"].replace(MERGED_STATES)
    words = {"mutant": "IDH-mutant", "wild-type": "IDH-wildtype"}
    table[GROUP] = table["idh"].map(words).fillna("IDH unknown")
    return Part(table, followed)


def _rows(part: Part, patients: Sequence[str]) -> Part:
    place = {patient: row for row, patient in enumerate(part.table["patient"])}
    rows = np.array([place[patient] for patient in patients], np.int_)
    return Part(part.table.iloc[rows].reset_index(drop=True), part.followed.take(rows))


def _slice_facts(data: Path) -> pd.DataFrame:
    """Whether all sequences are there, and the codes of side and place, by patient.

    The table has no key of its codes; that they tell groups apart is all that is used here.
    """
    names = ("patient", "t1_missing", "t1gd_missing", SIDE.name, LOCATION.name)
    rows = read_text_table(data / SLICES_TABLE, names)
    missing = [translate(rows[name], MISSING) for name in names[1:3]]
    codes = {name: [value.removesuffix(".0") or None for value in rows[name]] for name in names[3:]}
    complete = [one is False and other is False for one, other in zip(*missing, strict=True)]
    return pd.DataFrame({"complete": complete} | codes, index=rows["patient"])


def _masks(everyone: Part, data: Path) -> Part:
    """Patients of TCGA-LGG whose tumour was segmented in three dimensions for BraTS."""
    brats = read_brats20(data).patients.set_index("patient")
    patients = [one for one in everyone.table["patient"] if one in brats.index]
    part = _rows(everyone, patients)
    measured = pd.DataFrame(
        [
            mask_measures(read_mask(data / MASKS_TABLE.parent / f"{case}.npz"))
            for case in brats["case"].reindex(patients)
        ],
        columns=["wt_ml", "et_ml"],
    )
    words = np.where(measured["et_ml"] > ENHANCING_ML, "yes", "no")
    return Part(part.table.assign(wt_ml=measured["wt_ml"], enhancement=words), part.followed)
