"""How a network's log-risk becomes a survival curve: a Cox model of that one number.

Its coefficient is the calibration slope (1 for a network that neither exaggerates nor understates),
its baseline hazard and the spread of the log-risk are those of the patients it is fitted on. Fit it
on patients whom the network has not learnt from: in those that it has, slope and hazard flatter it.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.terms import NumericTerm

LOG_RISK = "network_log_risk"
"""The covariate's name."""

STEP_MONTHS = 0.5
"""A pack's baseline hazard is thinned to so many."""

_LARGEST = 1e6
"""No log-risk is as large; one that is comes from a mistake."""


def log_risk_model(log_risk: ArrayLike, followed: Outcome, cohort: str) -> CoxModel:
    """Fits the model that a multi-task pack carries under `survival`.

    Args:
        log_risk: (n,) of the network, higher is worse.
        followed: of the same patients.
        cohort: who they are, in words.

    Raises:
        ValueError: shapes do not fit, nobody died, or the log-risk is not finite, the same in
            everybody, or separates the dead from the others.
    """
    risk = np.asarray(log_risk, np.float64)
    if risk.shape != (len(followed),) or not np.isfinite(risk).all():
        raise ValueError(f"needs {len(followed)} finite log-risks, not {risk.shape}")
    low, first, middle, third, high = np.quantile(risk, [0.0, 0.25, 0.5, 0.75, 1.0]).tolist()
    term = NumericTerm(
        name=LOG_RISK,
        label="log-risk of the network",
        unit="",
        reference=middle,
        allowed=(-_LARGEST, _LARGEST),
        observed=(low, first, middle, third, high),
    )
    design = term.encode(risk)
    fit = newton_cox(design, followed)
    return CoxModel(
        name="Log-risk of the network",
        cohort=cohort,
        patients=len(followed),
        events=followed.events,
        terms=(term,),
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        baselines={"": breslow(design, fit.coefficients, followed)},
    ).thinned(STEP_MONTHS)


def checked_log_risk_model(model: CoxModel) -> CoxModel:
    """The model, if it is one of a log-risk alone.

    Raises:
        ValueError: it asks for something else, or its hazard does not rise with the risk.
    """
    if model.covariates != (LOG_RISK,) or model.columns != (LOG_RISK,):
        raise ValueError(f"it asks for {', '.join(model.covariates)}, not for {LOG_RISK} alone")
    slope = float(model.coefficients[0])
    if not (math.isfinite(slope) and slope > 0):
        raise ValueError(f"its hazard does not rise with the risk (coefficient {slope:g})")
    return model
