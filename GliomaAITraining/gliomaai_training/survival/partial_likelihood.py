"""Cox's partial likelihood (Breslow's ties) for many linear predictors at once."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.outcome import Outcome

Floats = NDArray[np.float64]


class PartialLikelihood:
    """The partial likelihood of n patients, prepared once for many linear predictors.

    With strata, patients are compared within their own only.
    """

    def __init__(self, followed: Outcome, strata: NDArray[np.int_] | None = None) -> None:
        """Raises ValueError if nobody died, or a patient has no stratum."""
        if followed.events == 0:
            raise ValueError("a partial likelihood needs deaths, and nobody died")
        n = len(followed)
        groups = np.zeros(n, np.int_) if strata is None else np.asarray(strata)
        if groups.shape != (n,):
            raise ValueError(f"needs one stratum for each of {n} patients, not {groups.shape}")
        self.events = followed.events
        self._order = np.lexsort((-followed.months, groups))
        months, groups = followed.months[self._order], groups[self._order]
        self._event = followed.event[self._order].astype(np.float64)
        starts = np.append(True, np.diff(groups) != 0)
        tied = np.append(True, (np.diff(months) != 0) | (np.diff(groups) != 0))
        tie = np.cumsum(tied) - 1
        self._last = np.append(np.flatnonzero(tied)[1:] - 1, n - 1)
        """Last row of each tied time: everybody up to it was at risk."""
        self._deaths = np.bincount(tie, self._event)
        self._tie = tie
        first = np.flatnonzero(starts)
        self._blocks = list(zip(first, np.append(first[1:], n), strict=True))

    def value(self, risk: Floats) -> Floats:
        """Log partial likelihood of each column of linear predictors (n,) or (n, m).

        Returns:
            A number as shape (), or (m,).
        """
        ordered = risk[self._order]
        at_risk = self._log_sums(ordered)[self._last]
        return np.asarray(self._event @ ordered - self._deaths @ at_risk)

    def derivatives(self, risk: Floats) -> tuple[Floats, Floats]:
        """Gradient (n,) and negative diagonal of the Hessian (n,) by the linear predictor (n,)."""
        ordered = risk[self._order]
        at_risk = self._log_sums(ordered)[self._last]
        with np.errstate(divide="ignore"):
            deaths = np.log(self._deaths)
        expected = np.exp(ordered + self._log_sums_to_own_time(deaths - at_risk))
        squared = np.exp(2 * ordered + self._log_sums_to_own_time(deaths - 2 * at_risk))
        gradient, curvature = np.empty_like(ordered), np.empty_like(ordered)
        gradient[self._order] = self._event - expected
        curvature[self._order] = expected - squared
        return gradient, curvature

    def _log_sums(self, ordered: Floats) -> Floats:
        """Log of the summed hazards of who was followed at least as long, rows by falling time.

        In logarithms throughout: of hazards that differ by hundreds, none is lost.
        """
        sums = np.empty_like(ordered)
        for start, stop in self._blocks:
            np.logaddexp.accumulate(ordered[start:stop], axis=0, out=sums[start:stop])
        return sums

    def _log_sums_to_own_time(self, by_time: Floats) -> Floats:
        """Log of sums over the deaths that each patient lived to see, the own time with them."""
        sums = np.empty(self._order.size)
        for start, stop in self._blocks:
            ties = self._tie[start:stop]
            part = by_time[ties[0] : ties[-1] + 1]
            sums[start:stop] = np.logaddexp.accumulate(part[::-1])[::-1][ties - ties[0]]
        return sums
