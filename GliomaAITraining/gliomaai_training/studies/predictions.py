"""Survival that fitted models predict for patients they have not seen."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.outcome import Outcome

RISK_AT_MONTHS = 24.0
"""Patients are ordered by their predicted risk of death until then. Within one model this is the
order of its linear predictor; across the models of a cross-validation, or of a family, linear
predictors have different zeros and cannot be compared, risks can."""

Floats = NDArray[np.float64]


class SurvivalPredictions(Protocol):
    """What is predicted for n patients."""

    def survival(self, months: ArrayLike) -> Floats:
        """(n, m) at m times."""

    def own_survival(self, followed: Outcome) -> Floats:
        """(n,) at each patient's own time."""

    def risk(self) -> Floats:
        """(n,) higher is worse."""


@dataclass(frozen=True, eq=False)
class PredictedSurvival:
    """What models say of n patients, each patient asked of one model."""

    models: tuple[CoxModel, ...]
    """Each with one baseline, or a default."""
    table: pd.DataFrame
    """(n rows) with the models' covariates."""
    model_of: NDArray[np.int_]
    """(n,) number of the model that each patient is asked of, as of the fold left out."""

    @classmethod
    def of(cls, model: CoxModel, table: pd.DataFrame) -> Self:
        """All patients asked of one model."""
        return cls((model,), table, np.zeros(len(table), np.int_))

    def survival(self, months: ArrayLike) -> Floats:
        """(n, m) at m times; after a model's follow-up, as at its end."""
        times = np.atleast_1d(np.asarray(months, np.float64))
        found = np.full((len(self.table), times.size), np.nan)
        for number, model in enumerate(self.models):
            rows = self.model_of == number
            if rows.any():
                known = np.minimum(times, model.baseline().follow_up_months)
                found[rows] = model.survival(self.table[rows], known)
        return found

    def own_survival(self, followed: Outcome) -> Floats:
        """(n,) at each patient's own time."""
        times, own = np.unique(followed.months, return_inverse=True)
        return np.asarray(self.survival(times)[np.arange(len(followed)), own])

    def risk(self) -> Floats:
        """(n,) log cumulative hazard at `RISK_AT_MONTHS`: higher is worse."""
        return np.asarray(np.log(-np.log(self.survival(RISK_AT_MONTHS)[:, 0])))

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Of some of the patients."""
        return type(self)(self.models, self.table[rows], self.model_of[rows])


@dataclass(frozen=True, eq=False)
class AveragedSurvival:
    """The mean of several predictions for the same patients, as of several deals into folds."""

    deals: tuple[PredictedSurvival, ...]

    def survival(self, months: ArrayLike) -> Floats:
        """(n, m) at m times."""
        return np.asarray(np.mean([one.survival(months) for one in self.deals], axis=0))

    def own_survival(self, followed: Outcome) -> Floats:
        """(n,) at each patient's own time."""
        return np.asarray(np.mean([one.own_survival(followed) for one in self.deals], axis=0))

    def risk(self) -> Floats:
        """(n,) as `PredictedSurvival.risk`."""
        return np.asarray(np.mean([one.risk() for one in self.deals], axis=0))
