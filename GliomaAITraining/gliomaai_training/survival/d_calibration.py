"""Distribution calibration: whether survival probabilities at the time of death are uniform.

Haider et al., Effective ways to build and evaluate individual survival distributions, JMLR
2020;21(85), section 3.5. Unlike calibration at a horizon it judges whole curves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from gliomaai_training.survival.brier import check_survival
from gliomaai_training.survival.censoring import check_events
from gliomaai_training.survival.outcome import Outcome

BINS = 10


@dataclass(frozen=True, eq=False)
class DCalibration:
    """How many patients died in each equal range of their own predicted survival."""

    counts: NDArray[np.float64]
    """(bins,) from survival near 0 to near 1; a censored patient counts as fractions."""
    expected: float
    """In each bin, of a calibrated model."""
    statistic: float
    """Pearson's chi-square, bins - 1 degrees of freedom."""
    p: float
    """Small where the model is not calibrated. With many censored patients the test has little
    power, for their fractions are uniform below their bin."""


def d_calibration(own_survival: ArrayLike, outcome: Outcome, bins: int = BINS) -> DCalibration:
    """Tests predicted curves at each patient's own time.

    A death counts once, in the bin of S(T). A patient censored at S(c) will die at a survival
    uniform on 0 to S(c): the share of that range within each bin is counted there.

    Args:
        own_survival: (n,) each patient's predicted survival at their own time.
        outcome: of the same patients.
        bins: number of equal bins.

    Raises:
        ValueError: a value is no probability, there are fewer than two bins or ten deaths.
    """
    values = check_survival(own_survival, (len(outcome),))
    check_events(outcome)
    if bins < 2:
        raise ValueError(f"{bins} bins are too few to compare")
    low = np.arange(bins) / bins
    within = np.clip(values[:, None] - low, 0.0, 1.0 / bins)
    # Censored at a survival of zero: death is in the lowest bin.
    spread = np.tile((low == 0).astype(np.float64), (len(outcome), 1))
    np.divide(within, values[:, None], out=spread, where=values[:, None] > 0)
    own_bin = np.clip(np.ceil(values * bins).astype(int) - 1, 0, bins - 1)
    one = np.arange(bins) == own_bin[:, None]
    counts = np.where(outcome.event[:, None], one, spread).sum(axis=0)
    expected = len(outcome) / bins
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    return DCalibration(counts, expected, statistic, float(chi2.sf(statistic, bins - 1)))
