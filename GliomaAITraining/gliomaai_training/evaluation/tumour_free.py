"""What a network draws in brains without tumour, where all that it draws is false."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.data.case_store import StoredCase, load_case, store_cases, to_levels
from gliomaai_training.evaluation.cross_validation import has_sequences, segment_case
from gliomaai_training.evaluation.tables import all_subsets, sequence_cells, subset_name
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.preprocessing.network_input import brain_box
from gliomaai_training.vocabulary import SEQUENCES

TOLERATED_ML = 1.0
"""A tumour-free brain should be drawn less tumour than this."""

TEMPLATE = "icbm152"


def tumour_free_cases(table: Path, store: Path) -> list[StoredCase]:
    """A cohort of brains without tumour, and the ICBM152 template.

    Args:
        table: of the cohort, as `read_manifest` takes it; its folder's name is the cohort's.
        store: folder of converted cases.

    Raises:
        ValueError: the cohort cannot be read, or one of its cases has a tumour.
    """
    files = read_manifest(table, table.parent.name)
    cases = [load_case(file) for file in store_cases(files, store)]
    ill = [case.case for case in cases if case.labels.any()]
    if ill:
        raise ValueError(f"{table} is not tumour-free: {', '.join(ill)}")
    return [*cases, icbm152_case()]


def icbm152_case() -> StoredCase:
    """The ICBM152 template: a T1 of a real brain, if of 152 at once, and no other sequence."""
    t1 = sitk.GetArrayFromImage(icbm152("t1"))
    t1 = t1[brain_box(t1 > 0)]
    images = np.zeros((len(SEQUENCES), *t1.shape), np.uint8)
    images[SEQUENCES.index("t1")] = to_levels(t1, t1 > 0)
    present = np.array([name == "t1" for name in SEQUENCES])
    labels = np.zeros(t1.shape, np.uint8)
    return StoredCase(TEMPLATE, TEMPLATE, TEMPLATE, images, present, labels, (1.0, 1.0, 1.0))


def false_tumours(
    predictor: Predictor, case: StoredCase, subsets: Sequence[tuple[str, ...]]
) -> Iterator[dict[str, object]]:
    """The volume drawn in a tumour-free brain, for each subset of sequences that it has."""
    for subset in filter(lambda subset: has_sequences(case, subset), subsets):
        labels = segment_case(predictor, case, subset).labels
        yield {
            "cohort": case.cohort,
            "case": case.case,
            "sequences": subset_name(subset),
            "false_ml": np.count_nonzero(labels) * case.voxel_ml,
        }


def false_tumour_table(results: pd.DataFrame) -> pd.DataFrame:
    """Volumes by cohort and subset of sequences; `brains` counts a brain once for each network."""
    rows = []
    for cohort, of_cohort in results.groupby("cohort", sort=False):
        for subset in all_subsets():
            drawn_ml = of_cohort.loc[of_cohort["sequences"] == subset_name(subset), "false_ml"]
            if len(drawn_ml):
                rows.append(
                    {
                        "cohort": cohort,
                        **sequence_cells(subset),
                        "brains": len(drawn_ml),
                        f"below {TOLERATED_ML:g} mL": int((drawn_ml < TOLERATED_ML).sum()),
                        "median mL": f"{drawn_ml.median():.2f}",
                        "largest mL": f"{drawn_ml.max():.2f}",
                    }
                )
    return pd.DataFrame(rows)
