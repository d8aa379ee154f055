"""Tables of the post-operative study that no other study has, and what all of them say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.postoperative_models import Choice, Cohorts, Part, fit
from gliomaai_training.studies.published import BROWN_2016, hazard_ratio
from gliomaai_training.studies.scores import Judged, difference_cells, p_words, risk_cells
from gliomaai_training.studies.selection import selection_table
from gliomaai_training.studies.study import StudyTable
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.fit_cox import CoxFit, CoxPlan
from gliomaai_training.survival.hazard_tables import (
    hazard_table,
    proportional_hazards,
    side_by_side,
    univariable_table,
)
from gliomaai_training.survival.term_plan import TermPlan

ISSUE_C, ISSUE_C_GLIOBLASTOMA = 0.72, 0.63
"""What a plain Cox model on age, sex and WHO state was said to reach on UCSF-PDGM."""


def choice_tables(choice: Choice) -> tuple[StudyTable, ...]:
    """What was chosen inside TCGA, and from what."""
    parts = (
        ("choice-age", "Form of age, chosen inside TCGA", choice.age, choice.chosen_age),
        ("choice-mgmt", "MGMT, judged inside TCGA", choice.mgmt, choice.chosen_mgmt),
        ("choice-patients", "Who is fitted on", choice.patients, choice.chosen_patients),
    )
    readings = (
        "Deviance of the left-out patients, 10 folds 5 times; the simplest specification within "
        "one standard error of the best is taken. Age and sex are in by what is known of glioma.",
        "The same, in the patients whose MGMT is known; many of TCGA's glioblastomas were treated "
        "before temozolomide, on which MGMT bears."
        + (
            "" if choice.chosen_mgmt is choice.mgmt[1] else " MGMT does not pay here and stays out."
        ),
        "Whether glioblastomas under the microscope without an IDH test, of patients from 55 years "
        "on, help to predict those whose state is known; the lower deviance is taken.",
    )
    return tuple(
        StudyTable(name, title, selection_table(judged, chosen), reading)
        for (name, title, judged, chosen), reading in zip(parts, readings, strict=True)
    )


def model_tables(found: CoxFit, part: Part, terms: tuple[TermPlan, ...]) -> tuple[StudyTable, ...]:
    """Hazard ratios alone and together, and whether they hold at all times."""
    plan = CoxPlan("univariable", terms, "TCGA")
    alone = univariable_table(part.table, part.followed, plan)
    both = side_by_side(alone, hazard_table(found.model))
    both = both.drop(columns="patients").rename(
        columns={
            "hazard_ratio": "HR alone",
            "hazard_ratio_adjusted": "HR together",
            "p_adjusted": "p together",
            "p": "p alone",
        }
    )
    for kind, tail in (("alone", ""), ("together", "_adjusted")):
        both[f"HR {kind}"] = [
            _ratio(*values)
            for values in both[[f"HR {kind}", f"low{tail}", f"high{tail}"]].to_numpy(float)
        ]
        both[f"p {kind}"] = ["" if np.isnan(p) else p_words(p) for p in both[f"p {kind}"]]
    both = both[["term", "level", "HR alone", "p alone", "HR together", "p together"]]
    checks = proportional_hazards(found)
    together = float(checks["p"].iloc[-1])
    broken = checks["term"][(checks["p"] < 0.05) & (checks["term"] != "all")].tolist()
    checks["statistic"] = checks["statistic"].map("{:.2f}".format)
    checks["p"] = checks["p"].map(p_words)
    reading = "Nothing speaks against proportional hazards."
    if broken:
        reading = (
            f"Hazards are not proportional for {', '.join(broken)}: read those ratios as averages "
            "over the follow-up."
        )
    elif together < 0.05:
        reading = (
            "No term by itself speaks against proportional hazards, but all together do: read the "
            "ratios as averages over the follow-up."
        )
    return (
        StudyTable(
            "hazard-ratios",
            f"The model of TCGA (n = {len(part.followed)}, {part.followed.events} deaths)",
            both,
            "Hazard ratios with 95 % Wald intervals.",
        ),
        StudyTable("proportional-hazards", "Proportional hazards", checks, reading),
    )


def mgmt_table(cohorts: Cohorts, terms: tuple[TermPlan, ...], judged: Judged) -> StudyTable:
    """What MGMT would add in the patients of whom it is known."""
    stated, known = cohorts.stated, cohorts.test.table["mgmt"].notna().to_numpy()
    informed = stated.take(stated.table["mgmt"].notna().to_numpy())
    test, some = cohorts.test.take(known), judged.take(known)
    risks = {
        name: fit(informed, plans, name, "TCGA").model.risk(test.table)
        for name, plans in (("without MGMT", terms), ("with MGMT", (*terms, c.MGMT)))
    }
    rows = []
    for name, risk in risks.items():
        cells = risk_cells(risk, some)
        row = {"model": name, "n": len(some.followed), "deaths": some.followed.events}
        rows.append(row | {key: cells[key] for key in ("Harrell C", "C within GBM")})
    change = difference_cells(risks["with MGMT"], risks["without MGMT"], some)
    return StudyTable(
        "mgmt",
        "MGMT where it is known, fitted on TCGA and tested on UCSF-PDGM",
        pd.DataFrame(rows),
        f"MGMT changes C by {change['difference of C']}, p {change['p (bootstrap)']}. The clinic "
        "does not ask for MGMT, and no model to be packed uses it.",
    )


def ladder_reading(table: pd.DataFrame, chosen: str, final: str, richest: str) -> str:
    """What the table of all models says."""
    c_of = {row["model"]: row["Harrell C"].split()[0] for row in table.to_dict("records")}
    inside = {row["model"]: row["C within GBM"].split()[0] for row in table.to_dict("records")}
    ratios = ", ".join(
        f"{level} {hazard_ratio(BROWN_2016, risk[0]):.2f}"
        for level, risk in BROWN_2016.relative_risk.items()
    )
    return (
        f"Marks to beat: {ISSUE_C} pooled, {ISSUE_C_GLIOBLASTOMA} within glioblastoma. Fitted on "
        f"TCGA alone, “{chosen}” reaches {c_of[chosen]} and {inside[chosen]}; “{final}”, which "
        f"used no outcome of UCSF-PDGM either, {c_of[final]} and {inside[final]}; “{richest}” "
        f"{c_of[richest]} and {inside[richest]}. Glioblastomas share their state: age orders them, "
        "sex a little, and what adds most is the extent of resection. Its hazard ratios "
        f"against subtotal are {ratios}, from {BROWN_2016.source}. Resection is no experiment: "
        "who can be resected further was better off before."
    )


def calibration_reading(table: pd.DataFrame, final: str, repaired: str) -> str:
    """What calibration says of the final model, before its repair and after."""
    rows = table.to_dict("records")
    words = {
        name: "; ".join(
            f"at {row['months']} months {row['observed / predicted'].split(' (')[0]}"
            for row in rows
            if row["model"] == name and row["observed / predicted"]
        )
        for name in (final, repaired)
    }
    p = {
        name: next(row for row in rows if row["model"] == name)["p of D-calibration"]
        for name in words
    }
    return (
        f"Observed over predicted deaths of “{final}”: {words[final]} (p of D-calibration "
        f"{p[final]}). TCGA's patients were treated earlier and by other hospitals, so that its "
        "level does not carry over. The repairs are fitted in nine tenths of UCSF-PDGM and judged "
        "in the last: level multiplies the baseline hazard, slope also the linear predictor, "
        f"baseline also replaces the shape of the baseline hazard. After the last: "
        f"{words[repaired]} (p {p[repaired]})."
    )


def packed_table(models: Mapping[str, CoxModel]) -> pd.DataFrame:
    """The models to be packed."""
    return pd.DataFrame(
        {
            "file": f"models/{stem}.json",
            "needs": ", ".join(term.label for term in model.terms),
            "n": model.patients,
            "deaths": model.events,
        }
        for stem, model in models.items()
    )


def _ratio(ratio: float, low: float, high: float) -> str:
    if np.isnan(ratio):
        return ""
    return "1" if np.isnan(low) else f"{ratio:.2f} ({low:.2f} to {high:.2f})"
