"""Inverse probability of censoring weights (IPCW): those seen stand for those lost to follow-up.

The weights hold where censoring does not depend on the risk. They come from the patients whose
follow-up resembles that of the patients judged: the training patients within one cohort, the
judged patients themselves where another institution's follow-up differs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import StepCurve, censoring_curve

MINIMUM_EVENTS = 10
"""With fewer deaths, no figure of discrimination or calibration says anything."""

SHARE_AT_RISK = 0.10
"""Follow-up is judged as far as this share of the patients is still at risk."""


@dataclass(frozen=True)
class Censoring:
    """How long patients were followed up."""

    curve: StepCurve
    """G(t), the probability of being observed beyond t."""
    tau_months: float
    """The last time at which `SHARE_AT_RISK` of the patients were at risk."""
    longest_months: float
    """The longest follow-up; beyond it nothing is known."""

    def event_weights(self, outcome: Outcome) -> NDArray[np.float64]:
        """(n,) 1/G(T-) of the dead, 0 of the censored and of the dead beyond `longest_months`.

        The left limit is the chance that a death at T was seen, for a censoring of the same time
        comes after it.
        """
        seen = self.curve.before(outcome.months)
        known = outcome.event & (outcome.months <= self.longest_months) & (seen > 0)
        weights = np.zeros(len(outcome))
        np.divide(1.0, seen, out=weights, where=known)
        return weights

    def weight_at(self, months: float) -> float:
        """1/G(t), of everyone who is still observed beyond t.

        Raises:
            ValueError: nobody was followed up for so long.
        """
        self.check_horizon(months)
        return float(1.0 / self.curve.at(months))

    def check_horizon(self, months: float) -> None:
        """
        Raises:
            ValueError: the horizon is not positive, or nobody was followed up for so long.
        """
        check_horizon(months)
        if months > self.longest_months or self.curve.at(months) <= 0:
            raise ValueError(
                f"horizon of {months:g} months lies beyond the follow-up of "
                f"{self.longest_months:g} months"
            )


def censoring_of(outcome: Outcome) -> Censoring:
    """The censoring of some patients, for the weights of theirs or of others' scores.

    Raises:
        ValueError: there are no patients.
    """
    curve = censoring_curve(outcome)
    descending = np.sort(outcome.months)[::-1]
    last = int(np.ceil(SHARE_AT_RISK * len(outcome))) - 1
    return Censoring(curve, float(descending[last]), float(descending[0]))


def check_horizon(months: float) -> None:
    """
    Raises:
        ValueError: the horizon is not a positive number of months.
    """
    if not (np.isfinite(months) and months > 0):
        raise ValueError(f"a horizon of {months} months is not possible")


def check_events(outcome: Outcome, minimum: int = MINIMUM_EVENTS) -> None:
    """
    Raises:
        ValueError: there are too few deaths for any figure.
    """
    if outcome.events < minimum:
        raise ValueError(
            f"{outcome.events} deaths among {len(outcome)} patients are too few; needs {minimum}"
        )
