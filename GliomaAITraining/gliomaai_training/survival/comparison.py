"""Whether one risk orders the same patients better than another."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.evaluation.bootstrap import (
    BOOTSTRAP,
    BootstrapConfig,
    patient_draws,
    percentile_interval,
)
from gliomaai_training.evaluation.paired import (
    PairedDifference,
    bootstrap_p,
    normal_interval,
    normal_p,
)
from gliomaai_training.survival.concordance import HARRELL, PairRule, comparable_pairs
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.pairs import Pairs, check_risk


def concordance_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    outcome: Outcome,
    generator: np.random.Generator,
    rule: PairRule = HARRELL,
    config: BootstrapConfig = BOOTSTRAP,
) -> PairedDifference:
    """Two risks' concordances and their difference, from the same resamples of the patients.

    Two equally good risks may differ in Harrell's C where one tells early deaths apart and the
    other late ones, for censoring hides the late (Han et al., Stat Med 2017;36:4041); a rule with
    a censoring, Uno's C, is free of that.

    Args:
        ours: (n,) risks, higher is worse.
        theirs: (n,) risks of the other model, for the same patients.
        outcome: of the same patients.
        generator: source of the draws.
        rule: Harrell's or Uno's C, pooled or within strata.
        config: the number of draws and the level.

    Raises:
        ValueError: as `concordance`.
    """
    return share_difference(ours, theirs, comparable_pairs(outcome, rule), generator, config)


def share_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    pairs: Pairs,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> PairedDifference:
    """As `concordance_difference`, of any pairs, for example `time_dependent_auc.horizon_pairs`.

    Raises:
        ValueError: not one finite risk for each patient.
    """
    once = np.ones((1, pairs.comparable.shape[1]), np.int64)
    draws = np.concatenate([once, patient_draws(once.size, generator, config.resamples)])
    first, second = pairs.share(ours, draws), pairs.share(theirs, draws)
    found = [
        percentile_interval(float(values[0]), values[1:], config.level)
        for values in (first, second, first - second)
    ]
    return PairedDifference(found[0], found[1], found[2], bootstrap_p((first - second)[1:]))


def compare_c(ours: ArrayLike, theirs: ArrayLike, outcome: Outcome) -> PairedDifference:
    """Harrell's C of two risks, tested by Kang et al., Stat Med 2015;34:685 (R's compareC).

    C is (tau_XY / tau_XX + 1) / 2, two U-statistics over pairs whose order of death is known;
    their unbiased covariances and the delta method give the variance of each C and of the
    difference. No resampling. It takes censoring as independent of risk and time.

    Args:
        ours: (n,) risks, higher is worse.
        theirs: (n,) risks of the other model, for the same patients.
        outcome: of the same patients.

    Returns:
        With 95 % normal intervals; p is 1 where the two order all pairs alike.

    Raises:
        ValueError: as `harrell_c`.
    """
    pairs = comparable_pairs(outcome)
    order = np.zeros((len(outcome), len(outcome)))
    order[pairs.worse] = pairs.comparable
    order -= order.T
    signs = [
        order * np.sign(risk[:, None] - risk)
        for risk in (check_risk(values, len(outcome)) for values in (ours, theirs))
    ]
    kernels = np.stack([np.abs(order), *signs])
    known, first, second = kernels.sum(axis=(1, 2)) / (len(outcome) * (len(outcome) - 1.0))
    values = (0.5 * (first / known + 1), 0.5 * (second / known + 1), 0.5 * (first - second) / known)
    gradients = np.array(
        [[-first / known, 1, 0], [-second / known, 0, 1], [(second - first) / known, 1, -1]]
    ) / (2.0 * known)
    covariance = _covariance_of_means(kernels)
    variances = np.einsum("ij,jk,ik->i", gradients, covariance, gradients)
    found = [normal_interval(*pair) for pair in zip(values, variances, strict=True)]
    return PairedDifference(found[0], found[1], found[2], normal_p(values[2], variances[2]))


def _covariance_of_means(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unbiased covariances of U-statistics of degree two, (k, k) from (k, n, n) symmetric kernels.

    The mean of products over pairs without a common patient is unbiased for the product of the
    expectations; less it, the product of the means leaves the covariance.
    """
    patients = kernels.shape[1]
    row_sums = kernels.sum(axis=2)
    sums = row_sums.sum(axis=1)
    shared_one = row_sums @ row_sums.T
    shared_both = np.einsum("aij,bij->ab", kernels, kernels)
    apart = np.outer(sums, sums) - 4.0 * shared_one + 2.0 * shared_both
    pairs = patients * (patients - 1.0)
    return np.asarray(
        np.outer(sums, sums) / pairs**2 - apart / (pairs * (patients - 2.0) * (patients - 3.0))
    )
