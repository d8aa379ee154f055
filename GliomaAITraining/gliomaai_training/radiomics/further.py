"""Features of another source, such as a network's, that stand beside radiomics: a table by patient.

A network's features of the patients that it was trained on are better than those of any new one, so
a selector prefers them for the wrong reason. Only features that were made without the patient are
taken (`gliomaai-train features` makes no others): the table says for every row out of which fold it
was made. Models of several networks' features are judged on the same folds; where one network read
everybody, it saw none of them, and the patients can be dealt as one likes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.values import read_text_table

PATIENT, FOLD = "patient", "fold"
MAX_FOLDS = 1000


@dataclass(frozen=True, eq=False)
class FurtherFeatures:
    """Out-of-fold features of patients."""

    prefix: str
    """That all their names share, such as `deep`."""
    columns: pd.DataFrame
    """(n, p) float64, indexed by patient."""
    fold: "pd.Series[int]"
    """(n,) the fold whose patients the model had not seen, indexed by patient: one number for each
    model."""

    @property
    def is_of_one_model(self) -> bool:
        """Whether one model made them all, so that all columns mean the same in every patient."""
        return self.fold.nunique() == 1

    def of(self, patients: "pd.Series[str]") -> "FurtherFeatures":
        """Those of some patients, in their order; patients without any are left out.

        Raises:
            ValueError: nobody has any.
        """
        known = [name for name in patients if name in self.columns.index]
        if not known:
            raise ValueError(f"no patient has {self.prefix} features: are they called alike?")
        return FurtherFeatures(self.prefix, self.columns.loc[known], self.fold.loc[known])

    def of_largest_model(self) -> "FurtherFeatures":
        """Those of the model that read most patients, without the others: two networks' features
        are not the same quantities, even if they are of one architecture."""
        mine = self.fold == self.fold.mode().iloc[0]
        return FurtherFeatures(self.prefix, self.columns[mine], self.fold[mine])


def read_further_features(file: Path) -> FurtherFeatures:
    """Reads `patient`, `fold` and features whose names begin alike (`deep_001`).

    Raises:
        ValueError: no such table; no column `fold`, or a fold that is none; a patient twice; names
            without a common prefix; or a feature that is no finite number.
    """
    rows = read_text_table(file, (PATIENT,))
    if FOLD not in rows:
        raise ValueError(
            f"{file.name} has no column {FOLD!r}: features count only if they were made out of "
            "fold, by a model that had not seen the patient; say which fold that was"
        )
    if rows[PATIENT].duplicated().any():
        raise ValueError(f"{file.name} lists patients more than once")
    names = [str(name) for name in rows.columns if name not in (PATIENT, FOLD)]
    index = pd.Index(rows[PATIENT], name=PATIENT)
    folds = [_fold(text) for text in rows[FOLD]]
    return FurtherFeatures(
        _prefix(file, names), _numbers(file, rows, names), pd.Series(folds, index, int)
    )


def _prefix(file: Path, names: list[str]) -> str:
    heads = {name.split("_")[0] if "_" in name else "" for name in names}
    if len(heads) != 1 or heads == {""}:
        raise ValueError(
            f"the features of {file.name} must share a prefix, as deep_001 and deep_002 do, not "
            f"{', '.join(names[:3]) or 'none'}"
        )
    return heads.pop()


def _fold(text: str) -> int:
    if not text.isdecimal() or int(text) >= MAX_FOLDS:
        raise ValueError(f"fold {text!r} is no number of a fold: every row needs one")
    return int(text)


def _numbers(file: Path, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    try:
        columns = rows[names].astype(np.float64)
    except ValueError as error:
        raise ValueError(f"{file.name} holds a cell that is no number: {error}") from error
    if not np.isfinite(columns.to_numpy()).all():
        raise ValueError(f"{file.name} holds a feature that is not finite")
    return columns.set_index(pd.Index(rows[PATIENT], name=PATIENT))
