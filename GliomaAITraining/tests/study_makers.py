"""Made-up cohorts for the studies: risk rises with age and falls with the state, as in reality."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from clinical_makers import write_tcga

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table
from gliomaai_training.radiomics.shape import NAMES as SHAPE_NAMES
from gliomaai_training.survival.outcome import Outcome

STATES = ("GBM", "A2", "A3", "A4", "O2", "O3")
LOG_HAZARD = {"GBM": 0.0, "A2": -1.5, "A3": -1.2, "A4": -0.4, "O2": -1.8, "O3": -1.4}
AGE_BY_DECADE = 0.5
RESECTED = {"biopsy": 0.8, "subtotal": 0.0, "gross total": -0.6}


def made_up_cohort(name: str, patients: int, seed: int) -> ClinicalCohort:
    """A cohort whose hazard is known: state, age, and resection."""
    generator = np.random.default_rng(seed)
    state = generator.choice(STATES, patients, p=[0.5, 0.12, 0.12, 0.08, 0.1, 0.08])
    age = np.clip(generator.normal(np.where(state == "GBM", 60, 40), 11), 18, 90).round(1)
    resection = generator.choice(tuple(RESECTED), patients, p=[0.2, 0.4, 0.4])
    risk = AGE_BY_DECADE * (age - 50) / 10
    risk += np.array([LOG_HAZARD[one] for one in state])
    risk += np.array([RESECTED[one] for one in resection])
    death = generator.exponential(20 / np.exp(risk))
    leaving = generator.uniform(6, 90, patients)
    names = [f"{name}-{number:03d}" for number in range(patients)]
    return ClinicalCohort(
        name,
        clinical_table(
            {
                "patient": names,
                "case": names,
                "cohort": name,
                "site": generator.choice(["01", "02"], patients),
                "age_years": age,
                "sex": generator.choice(["F", "M"], patients),
                "who_state": state,
                "possible_states": state,
                "idh": np.where(state == "GBM", "wild-type", "mutant"),
                "grade": [4.0 if one[0] == "G" else float(one[1]) for one in state],
                "reported_grade": [4.0 if one[0] == "G" else float(one[1]) for one in state],
                "mgmt": generator.choice(["methylated", "unmethylated"], patients),
                "resection": resection,
                "months": np.minimum(death, leaving),
                "event": (death <= leaving).astype(float),
            }
        ),
        (f"{name} is made up.",),
    )


def made_up_part(patients: int, seed: int) -> tuple[pd.DataFrame, Outcome]:
    """Its table and outcome."""
    from gliomaai_training.studies.covariates import study_table

    return study_table(made_up_cohort("MADE", patients, seed))


def write_masks(folder: Path, names: list[str], seed: int) -> None:
    """Small masks with all parts, some with a second focus."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        labels = np.zeros((32, 32, 32), np.uint8)
        i = int(generator.integers(2, 20))
        j, k = generator.integers(6, 12, 2)
        size = int(generator.integers(6, 12))
        labels[i : i + size, j : j + size, k : k + size] = 2
        core = int(generator.integers(3, 8))
        labels[i : i + core, j : j + core, k : k + core] = 3
        dead = int(generator.integers(1, 6))
        labels[i : i + dead, j : j + core, k : k + core] = 1
        if generator.random() < 0.3:
            labels[28:31, 28:31, 28:31] = 2
        np.savez_compressed(folder / f"{name}.npz", seg=labels)


def write_data(data: Path, sizes: tuple[int, int, int], seed: int = 1) -> None:
    """A whole root of data: so many patients of TCGA, of UCSF-PDGM and of BraTS 2020.

    Half of BraTS' patients are TCGA's.
    """
    tcga, ucsf, brats = (
        made_up_cohort(name, size, seed + number).patients
        for number, (name, size) in enumerate(zip(("T", "U", "B"), sizes, strict=True))
    )
    names = [f"TCGA-{number % 4 + 10}-{number:04d}" for number in range(len(tcga))]
    write_tcga(
        data, [_tcga_row(name, row) for name, (_, row) in zip(names, tcga.iterrows(), strict=True)]
    )
    write_rows(
        data / "tables" / "ucsf_pdgm_clinical.csv", [_ucsf_row(r) for _, r in ucsf.iterrows()]
    )
    generator = np.random.default_rng(seed)
    shapes = [
        {"patient": one}
        | {f"original_shape_{name}": generator.uniform(0.1, 0.9) for name in SHAPE_NAMES}
        | {"original_shape_VoxelVolume": generator.uniform(1e3, 2e5)}
        for one in ucsf["patient"]
    ]
    write_rows(data / "tables" / "ucsf_pdgm_radiomics_t1gd.csv", shapes)
    shared = list(zip(names, tcga["who_state"], strict=True))
    rows = [_brats_row(row, shared, number) for number, (_, row) in enumerate(brats.iterrows())]
    write_rows(data / "brats20_masks" / "masks.csv", rows)
    write_masks(data / "brats20_masks", [str(row["id"]) for row in rows], seed)


def _tcga_row(name: str, row: "pd.Series") -> dict[str, str]:
    state = row["who_state"]
    astrocytoma = f"Astrocytoma, IDH-mutant. Grade {state[1]}."
    oligo = f"Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade {state[1]}."
    words = {"G": "Glioblastoma, IDH-wildtype. Grade 4.", "A": astrocytoma, "O": oligo}
    return {
        "patient": name,
        "age": f"{row['age_years']:.1f}",
        "sex": {"F": "Female", "M": "Male"}[row["sex"]],
        "histology": {"G": "Glioblastoma Multiforme"}.get(state[0], "Astrocytoma"),
        "os_months": f"{row['months']:.4f}",
        "os_status": "1:DECEASED" if row["event"] else "0:LIVING",
        "mgmt_promoter": str(row["mgmt"]).capitalize(),
        "who2021_diagnosis": words[state[0]],
    }


def _ucsf_row(row: "pd.Series") -> dict[str, object]:
    state = row["who_state"]
    words = {
        "G": "Glioblastoma, IDH-wildtype",
        "A": "Astrocytoma, IDH-mutant",
        "O": "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted",
    }
    return {
        "patient": row["patient"],
        "sex": row["sex"],
        "age": f"{row['age_years']:.0f}",
        "grade": f"{row['grade']:.0f}",
        "who2021_diagnosis": words[state[0]],
        "mgmt_status": {"methylated": "positive", "unmethylated": "negative"}[row["mgmt"]],
        "codel_1p19q": "",
        "idh": "wildtype" if state == "GBM" else "mutated (NOS)",
        "event": f"{row['event']:.0f}",
        "os_days": f"{row['months'] * 30.4375:.0f}",
        "extent_of_resection": {"gross total": "GTR", "subtotal": "STR"}.get(
            row["resection"], "biopsy"
        ),
        "brats21_id": "",
    }


def _brats_row(row: "pd.Series", shared: list[tuple[str, str]], number: int) -> dict[str, object]:
    name, of_tcga = f"BraTS20_Training_{number:03d}", number % 2 == 0
    patient, state = shared[number // 2] if of_tcga else (name, str(row["who_state"]))
    grade = "4(HGG)" if state in ("GBM", "A4") else f"G{state[1]}" if of_tcga else "2/3(LGG)"
    return {
        "id": name,
        "patient": patient,
        "grade": grade,
        "subtype": "unknown",
        "age": f"{row['age_years']:.2f}",
        "os_days": f"{row['months'] * 30.4375:.1f}",
        "event": f"{row['event']:.1f}",
        "extent_of_resection": "",
    }


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Writes a table; all rows have the columns of the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
