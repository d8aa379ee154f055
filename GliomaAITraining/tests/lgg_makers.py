"""Made-up lower-grade gliomas: tables, slices and masks in which age and grade kill."""

from pathlib import Path

import numpy as np
import pandas as pd
from clinical_makers import write_csv, write_tcga
from numpy.typing import NDArray
from study_makers import write_masks, write_rows

from gliomaai_training.cohorts import lgg_slices
from gliomaai_training.studies.slice_features import SEQUENCES, Slices

HISTOLOGIES = ("Oligodendroglioma", "Oligoastrocytoma", "Astrocytoma")
DIAGNOSES = (
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade 2.",
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade 3.",
    "Astrocytoma, IDH-mutant. Grade 2.",
    "Astrocytoma, IDH-mutant. Grade 3.",
    "Glioblastoma, IDH-wildtype. Grade 4.",
)


def made_up_slices(
    generator: np.random.Generator, radius: float = 8.0, size: int = 48, slices: int = 6
) -> Slices:
    """A round head with a round tumour that is bright on FLAIR."""
    j, i = np.mgrid[:size, :size]
    head = np.hypot(j - size / 2, i - size / 2) < 0.45 * size
    tumour = np.zeros((slices, size, size), bool)
    tumour[1:4] = np.hypot(j - 0.4 * size, i - 0.6 * size) < radius
    images = {
        name: head * generator.normal(100, 10, tumour.shape) + 60 * tumour * (name == "flair")
        for name in SEQUENCES
    }
    return Slices({name: np.clip(image, 0, 250) for name, image in images.items()}, tumour)


def write_slices(file: Path, slices: Slices) -> None:
    """As the collection's files."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.uint8]] = {
        name: image.astype(np.uint8) for name, image in slices.images.items()
    }
    np.savez_compressed(file, whole_tumor=slices.tumour.astype(np.uint8), **arrays)


def made_up_patients(patients: int, seed: int) -> pd.DataFrame:
    """Rows of made-up patients, in TCGA's words where those have spellings."""
    generator = np.random.default_rng(seed)
    age = generator.uniform(20, 75, patients).round(1)
    diagnosis = generator.integers(0, len(DIAGNOSES), patients)
    # A grade under the microscope that the diagnosis of 2021 mostly keeps.
    grade = np.where(diagnosis == 4, generator.integers(2, 4, patients), 2 + diagnosis % 2)
    histology = generator.integers(0, 3, patients)
    risk = 0.06 * (age - 45) + 0.9 * (grade == 3) + 0.8 * (diagnosis == 4) + 0.4 * (histology == 2)
    death = generator.exponential(60 / np.exp(risk))
    leaving = generator.uniform(10, 120, patients)
    return pd.DataFrame(
        {
            "patient": [f"TCGA-{n % 5 + 10}-{n:04d}" for n in range(patients)],
            "age": age,
            "sex": generator.choice(["Male", "Female"], patients),
            "grade": [f"G{one}" for one in grade],
            "histology": [HISTOLOGIES[one] for one in histology],
            "idh": np.where(diagnosis == 4, "WT", "Mutant"),
            "who2021_diagnosis": [DIAGNOSES[one] for one in diagnosis],
            "os_months": np.minimum(death, leaving).round(4),
            "event": (death <= leaving).astype(int),
        }
    )


def write_lgg_data(
    data: Path, patients: int, imaged: int, seed: int = 1, size: int = 48, slices: int = 5
) -> None:
    """A root of data: TCGA-LGG, of whom the first have slices and some a mask, and UCSF-PDGM."""
    made = made_up_patients(patients, seed)
    words = {0: "0:LIVING", 1: "1:DECEASED"}
    text = made.astype(str).assign(os_status=[words[one] for one in made["event"]])
    write_tcga(data, text.drop(columns="event").to_dict("records"))
    generator = np.random.default_rng(seed)
    rows = text.drop(columns="os_status").iloc[:imaged].to_dict("records")
    for number, row in enumerate(rows):
        row |= {"t1_missing": "False", "t1gd_missing": str(number == 0)}
        row |= {"laterality_code": f"{1 + 2 * (number % 2)}.0", "location_code": "2.0"}
        radius = max(3.5, generator.uniform(4, 9) * size / 48)  # enough pixels to be measured
        made_slices = made_up_slices(generator, radius, size, slices)
        write_slices(data / "lgg_slices" / f"{row['patient']}.npz", made_slices)
    columns = (
        *lgg_slices.COLUMNS,
        "t1_missing",
        "t1gd_missing",
        "laterality_code",
        "location_code",
    )
    write_csv(data / lgg_slices.TABLE, columns, rows)
    _write_brats(data, made.iloc[:30], seed)
    _write_ucsf(data, made_up_patients(60, seed + 1))


def _write_brats(data: Path, made: pd.DataFrame, seed: int) -> None:
    rows: list[dict[str, object]] = [
        {
            "id": f"BraTS20_Training_{number:03d}",
            "patient": row["patient"],
            "grade": row["grade"],
            "subtype": "unknown",
            "age": f"{row['age']:.1f}",
            "os_days": f"{row['os_months'] * 30.4375:.1f}",
            "event": f"{row['event']:.1f}",
            "extent_of_resection": "",
        }
        for number, row in enumerate(made.to_dict("records"))
    ]
    write_rows(data / "brats20_masks" / "masks.csv", rows)
    write_masks(data / "brats20_masks", [str(row["id"]) for row in rows], seed)


def _write_ucsf(data: Path, made: pd.DataFrame) -> None:
    rows: list[dict[str, object]] = [
        {
            "patient": f"UCSF-PDGM-{number:04d}",
            "sex": row["sex"][0],
            "age": f"{row['age']:.0f}",
            "grade": row["grade"][1],
            "who2021_diagnosis": "Astrocytoma, IDH-mutant",
            "mgmt_status": "positive",
            "codel_1p19q": "",
            "idh": "mutated (NOS)",
            "event": f"{row['event']}",
            "os_days": f"{row['os_months'] * 30.4375:.0f}",
            "extent_of_resection": "GTR",
            "brats21_id": "",
        }
        for number, row in enumerate(made.to_dict("records"))
    ]
    write_rows(data / "tables" / "ucsf_pdgm_clinical.csv", rows)
