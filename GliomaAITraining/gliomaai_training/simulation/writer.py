"""A simulated patient on disk, in the layout of public segmentation data sets."""

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.dicom import write_dicom_study
from gliomaai_training.simulation.patient import SimulatedPatient

TRUTH_FILE = "truth.json"
"""Everything that the simulator knows about a patient; written last, so it marks completeness."""
DICOM_FOLDER = "dicom"
"""Where a patient's DICOM files lie, all in one folder."""
TABLE_FILE = "patients.csv"
"""One row for each patient of a cohort."""

_GZIP_LEVEL = 4


def patient_name(seed: int) -> str:
    """The folder's name, and the patient's identifier in the table."""
    return f"sim-{seed:06d}"


def write_patient(patient: SimulatedPatient, folder: Path, dicom: bool = False) -> None:
    """Writes `t1.nii.gz`, `t1gd.nii.gz`, `t2.nii.gz`, `flair.nii.gz`, `seg.nii.gz`, `truth.json`.

    With `dicom` the sequences go to a folder `dicom` as a PACS exports them, instead of NIfTI. The
    folder appears at once, complete, and replaces one of the same name. The bytes depend on the
    patient only: the gzip headers hold neither time nor name.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if dicom:
        write_dicom_study(patient, partial / DICOM_FOLDER)
    else:
        for name, image in patient.sequences.items():
            write_nifti(image, partial / f"{name}.nii.gz")
    write_nifti(patient.labels, partial / "seg.nii.gz")
    truth = {"row": table_row(patient), "parameters": dict(patient.parameters)}
    text = json.dumps(truth, indent=1)
    (partial / TRUTH_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def write_nifti(image: sitk.Image, path: Path) -> None:
    """Writes an image as gzipped NIfTI-1 whose bytes depend on the image alone."""
    array = np.transpose(sitk.GetArrayViewFromImage(image))
    nifti = nib.Nifti1Image(array, Grid.of(image).ijk_to_ras)
    nifti.header.set_xyzt_units("mm")
    nifti.set_qform(nifti.affine, code=1)
    nifti.set_sform(nifti.affine, code=1)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
        packed.write(nifti.to_bytes())


def table_row(patient: SimulatedPatient) -> dict[str, object]:
    """The patient's row of the cohort table."""
    facts, outcome = patient.facts, patient.outcome
    name, who_class = patient_name(patient.seed), patient.who_class
    row: dict[str, object] = {
        "id": name,
        "patient": name,
        "seed": patient.seed,
        "who_class": who_class,
        "grade": None if who_class is None else 4 if who_class == "GBM" else int(who_class[1]),
        "idh": None if who_class is None else "wildtype" if who_class == "GBM" else "mutant",
        "codel_1p19q": None if who_class is None else who_class.startswith("O"),
        "age": facts.age_years,
        "sex": facts.sex,
        "kps": facts.kps,
        "gross_total_resection": facts.gross_total_resection,
        "mgmt_methylated": facts.mgmt_methylated,
    }
    row["os_months"] = outcome.survival_months if outcome else None
    row["event"] = int(outcome.event) if outcome else None
    for key in ("death_months", "log_hazard", "log_risk"):
        row[f"true_{key}"] = round(getattr(outcome, key), 6) if outcome else None
    for label, volume in patient.volumes_ml.items():
        row[f"{label.lower()}_ml"] = round(volume, 3)
    row["sequences"] = " ".join(patient.sequences)
    return row


def write_table(rows: Iterable[Mapping[str, object]], folder: Path) -> Path:
    """Writes `patients.csv`, sorted by seed; returns its path.

    Raises:
        ValueError: there is no row.
    """
    table = pd.DataFrame([dict(row) for row in rows])
    if table.empty:
        raise ValueError("there is no patient to write a table of")
    path = folder / TABLE_FILE
    partial = path.with_name(f".{path.name}.partial")
    table.sort_values("seed").to_csv(partial, index=False, lineterminator="\n")
    partial.replace(path)
    return path
