"""Tables of hazard ratios, and the check that they hold at all times."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.fit_cox import CoxFit, CoxPlan, fit_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import product_limit
from gliomaai_training.survival.readable import readable, readable_with_unit
from gliomaai_training.survival.term_plan import complete_cases
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

COLUMNS = ("term", "level", "patients", "hazard_ratio", "low", "high", "p")
"""Of a table of hazard ratios."""


def hazard_table(model: CoxModel, level: float = 0.95) -> "pd.DataFrame":
    """Hazard ratios with Wald intervals and p, one row for each number and each category.

    A straight number's ratio is for one `scale` of it; that of a bent one (spline, logarithm) is
    the upper against the lower quartile of the cohort, with the p of all its columns together. A
    category's is against the reference, which has a row of its own.

    Returns:
        Columns `COLUMNS`.
    """
    import pandas as pd

    rows = []
    for term in model.terms:
        columns = model.slice_of(term)
        beta, covariance = model.coefficients[columns], model.covariance[columns, columns]
        for label, patients, contrast in _contrasts(term, model.patients):
            row = {"term": term.label, "level": label, "patients": patients}
            row |= _ratio(contrast, beta, covariance, level)
            if isinstance(term, NumericTerm):
                row["p"] = wald_p(beta, covariance)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def univariable_table(patients: "pd.DataFrame", followed: Outcome, plan: CoxPlan) -> "pd.DataFrame":
    """Each term alone, with the plan's strata, in everybody for whom it is known.

    Returns:
        As `hazard_table`, with `patients` of each fit in the rows of numbers.

    Raises:
        ValueError: as `fit_cox`.
    """
    import pandas as pd

    tables = []
    for term in plan.terms:
        known = complete_cases(patients, [term]).to_numpy(bool)
        alone = replace(plan, name=f"{plan.name}, {term.label} alone", terms=(term,))
        fit = fit_cox(patients[known], followed.take(known), alone)
        tables.append(hazard_table(fit.model))
    return pd.concat(tables, ignore_index=True)


def side_by_side(univariable: "pd.DataFrame", multivariable: "pd.DataFrame") -> "pd.DataFrame":
    """Both tables, row by row of each term.

    A term that is not in the multivariable model stays empty there. The columns of the
    multivariable table end in `_adjusted`; its levels are kept, as quartiles may differ where
    fewer patients are known.
    """
    keys = ["term", "row"]
    first, second = (
        table.assign(row=table.groupby("term").cumcount()).set_index(keys)
        for table in (univariable, multivariable)
    )
    return first.join(second.add_suffix("_adjusted")).reset_index("term").reset_index(drop=True)


def wald_p(coefficients: Floats, covariance: Floats) -> float:
    """p of all coefficients (c,) together against none."""
    from scipy.stats import chi2

    statistic = coefficients @ np.linalg.solve(covariance, coefficients)
    return float(chi2.sf(statistic, coefficients.size))


def proportional_hazards(fit: CoxFit) -> "pd.DataFrame":
    """Whether hazard ratios change with time: Grambsch and Therneau's test by term and of all.

    Scaled Schoenfeld residuals against the Kaplan-Meier transform of time (Biometrika
    1994;81:515; `cox.zph` of R before version 3). A small p says that the ratio changes: stratify,
    or read it as an average over the follow-up.

    Returns:
        Columns `term`, `statistic`, `df`, `p`; the last row is the test of all terms.
    """
    import pandas as pd
    from scipy.stats import chi2

    model = fit.model
    rows = []
    moved, spread = _trend(fit)
    groups = [(term.label, model.slice_of(term)) for term in model.terms]
    for label, columns in [*groups, ("all", slice(None))]:
        part = moved[columns]
        # Residuals unscaled, so that the terms of one block need only their own covariance.
        scaled = model.covariance[columns] @ moved
        inverse = np.linalg.inv(model.covariance[columns, columns])
        statistic = float(scaled @ inverse @ scaled) / spread
        p = float(chi2.sf(statistic, part.size))
        rows.append({"term": label, "statistic": statistic, "df": part.size, "p": p})
    return pd.DataFrame(rows)


def _trend(fit: CoxFit) -> tuple[Floats, float]:
    """Schoenfeld residuals summed with centred time (p,), and what scales their square."""
    columns = list(fit.model.columns)
    residuals = fit.fitter.compute_residuals(fit.design, kind="schoenfeld")[columns]
    months = fit.design["months"].to_numpy(np.float64)
    dead = fit.design["event"].to_numpy() == 1
    # As R does, the curve just before each death.
    passed = 1 - product_limit(Outcome(months, dead)).before(fit.design["months"][residuals.index])
    centred = passed - passed.mean()
    total = residuals.to_numpy(np.float64).T @ centred
    return np.asarray(total), float((centred**2).sum() / centred.size)


def _contrasts(term: Term, patients: int) -> list[tuple[str, int, Floats]]:
    """Rows of a term: words, patients, and which difference of columns (c,) they tell."""
    if isinstance(term, CategoricalTerm):
        rows = term.encode(term.levels)
        words = [
            f"{level} (reference)" if level == term.reference else level for level in term.levels
        ]
        return list(zip(words, term.counts, rows, strict=True))
    if term.transform == "linear" and not term.knots:
        step = f"{term.scale:g} {term.unit}".rstrip()
        return [("" if step == "1" else f"by {step}", patients, np.ones(1))]
    low, high = term.observed[1], term.observed[3]
    ends = term.encode([low, high])
    quartiles = f"{readable(high, term.unit)} against {readable_with_unit(low, term.unit)}"
    return [(quartiles, patients, ends[1] - ends[0])]


def _ratio(contrast: Floats, beta: Floats, covariance: Floats, level: float) -> dict[str, Any]:
    from scipy.stats import norm

    log_ratio, error = float(contrast @ beta), float(np.sqrt(contrast @ covariance @ contrast))
    if error == 0:
        return {"hazard_ratio": 1.0, "low": np.nan, "high": np.nan, "p": np.nan}
    reach = float(norm.ppf(0.5 + level / 2)) * error
    return {
        "hazard_ratio": np.exp(log_ratio),
        "low": np.exp(log_ratio - reach),
        "high": np.exp(log_ratio + reach),
        "p": 2 * float(norm.sf(abs(log_ratio) / error)),
    }
