"""Tiny cohorts on disk, for tests."""

from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.vocabulary import SEQUENCES


def write_cohort(folder: Path, patients: list[str], seed: int = 0, *, tumour: bool = True) -> Path:
    """A tiny cohort on disk: an ellipsoid brain, with or without a bright tumour, one case a row.

    Returns:
        The cohort's table.
    """
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (20, 24, 22)], indexing="ij"))
    brain = (grid**2).sum(0) < 0.8
    rows = []
    for number, patient in enumerate(patients):
        case = f"case-{number:02d}"
        centre = generator.uniform(-0.3, 0.3, (3, 1, 1, 1))
        distance = ((grid - centre) ** 2).sum(0)
        labels = np.zeros(brain.shape, np.uint8)
        for label, limit in ((2, 0.2), (4, 0.1), (1, 0.03)) if tumour else ():
            labels[brain & (distance < limit)] = label
        (folder / case).mkdir(parents=True)
        for position, name in enumerate(SEQUENCES):
            image = (
                100.0 + 40 * (labels == (position % 3) + 1) + generator.normal(0, 5, brain.shape)
            )
            sitk.WriteImage(
                sitk.GetImageFromArray((image * brain).astype(np.float32)),
                str(folder / case / f"{name}.nii.gz"),
            )
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / case / "seg.nii.gz"))
        rows.append({"id": case, "patient": patient})
    table = folder / "cohort.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def write_clinical_cohort(folder: Path, patients: int, seed: int = 0) -> Path:
    """A tiny cohort of as many patients whose table tells of diagnosis and survival too.

    Returns:
        The table, in the form of simulated patients.
    """
    table = write_cohort(folder, [f"P{n:02d}" for n in range(patients)], seed)
    generator = np.random.default_rng(seed)
    rows = pd.read_csv(table)
    rows["who_class"] = [WHO_STATES[n % len(WHO_STATES)] for n in range(patients)]
    rows["age"] = generator.uniform(30, 70, patients).round(1)
    rows["sex"] = [("F", "M")[n % 2] for n in range(patients)]
    rows["kps"] = 90
    rows["gross_total_resection"] = rows["mgmt_methylated"] = "True"
    rows["os_months"] = generator.uniform(2, 60, patients).round(2)
    rows["event"] = [int(n % 3 > 0) for n in range(patients)]
    rows["true_log_risk"] = generator.normal(size=patients)
    rows["true_log_hazard"] = generator.normal(size=patients)
    rows.to_csv(table, index=False)
    return table
