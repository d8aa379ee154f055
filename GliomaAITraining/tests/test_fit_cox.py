"""Cox fits against lifelines and against values that R's survival prints."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_lung, load_rossi
from survival_makers import AGE, LOG_HAZARDS, PLAN, SEX, STATE, made_up_patients

from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.fit_cox import CoxPlan, fit_cox
from gliomaai_training.survival.hazard_tables import (
    hazard_table,
    proportional_hazards,
    side_by_side,
    univariable_table,
)
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.recalibration import RecalibrationPlan, expected_deaths, recalibrate
from gliomaai_training.survival.term_plan import CategoricalPlan, NumericPlan, complete_cases


def numbers(names: list[str]) -> tuple[NumericPlan, ...]:
    return tuple(NumericPlan(name, name, "", (-1e4, 1e4), reference=0.0) for name in names)


def test_rossi_is_as_lifelines_and_as_published() -> None:
    """Coefficients of Fox and Weisberg, Cox Proportional-Hazards Regression for Survival Data."""
    rossi = load_rossi()
    names = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]
    fit = fit_cox(rossi, outcome(rossi["week"], rossi["arrest"]), CoxPlan("r", numbers(names), "R"))
    assert fit.model.coefficients == pytest.approx(
        [-0.37942, -0.05744, 0.31390, -0.14980, -0.43370, -0.08487, 0.09150], abs=1e-5
    )
    assert np.sqrt(np.diag(fit.model.covariance)) == pytest.approx(
        [0.19138, 0.02200, 0.30799, 0.21222, 0.38187, 0.19576, 0.02865], abs=1e-5
    )
    theirs = CoxPHFitter().fit(rossi, "week", "arrest")
    weeks = [5.0, 20.0, 40.0, 52.0]
    expected = theirs.predict_survival_function(rossi, times=weeks).to_numpy().T
    assert np.abs(fit.model.survival(rossi, weeks) - expected).max() < 1e-5
    risk = fit.model.risk(rossi)
    difference = risk - theirs.predict_log_partial_hazard(rossi).to_numpy()
    assert np.ptp(difference) < 1e-5


def lung(names: list[str]) -> tuple[pd.DataFrame, Outcome]:
    table = load_lung().dropna(subset=names)
    return table, outcome(table["time"], table["status"])


def test_lung_is_as_r_prints_it() -> None:
    """`coxph(Surv(time, status) ~ age + sex + ph.ecog, lung)`, n = 227, 164 events."""
    names = ["age", "sex", "ph.ecog"]
    fit = fit_cox(*lung(names), CoxPlan("l", numbers(names), "lung"))
    assert (fit.model.patients, fit.model.events) == (227, 164)
    assert fit.model.coefficients == pytest.approx([0.011067, -0.552612, 0.463728], abs=2e-6)
    errors = np.sqrt(np.diag(fit.model.covariance))
    assert errors == pytest.approx([0.009267, 0.167739, 0.113577], abs=1e-6)
    assert fit.log_likelihood == pytest.approx(-729.23, abs=0.01)
    assert fit.null_log_likelihood == pytest.approx(-744.48, abs=0.01)


def test_strata_and_the_check_of_proportions_are_as_r_prints_them() -> None:
    """`coxph(... + strata(inst), lung)` and `cox.zph` of it: R's survival, tests/cancer.Rout."""
    names = ["ph.ecog", "ph.karno", "pat.karno", "wt.loss", "sex", "age", "meal.cal"]
    plan = CoxPlan("l", numbers(names), "lung", strata="inst")
    fit = fit_cox(*lung([*names, "inst"]), plan)
    assert fit.model.coefficients == pytest.approx(
        [0.7299987, 0.0130512, -0.0140955, -0.0148821, -0.6612534, 0.0050920, -0.0002398], abs=6e-6
    )
    checked = proportional_hazards(fit)
    assert checked["statistic"].to_numpy() == pytest.approx(
        [0.108, 2.002, 0.084, 0.212, 0.180, 0.560, 3.695, 9.012], abs=6e-4
    )
    assert checked["p"].to_numpy() == pytest.approx(
        [0.7427, 0.1571, 0.7718, 0.6451, 0.6713, 0.4543, 0.0546, 0.2518], abs=6e-5
    )
    assert checked["term"].tolist() == [*names, "all"]


def test_a_changing_hazard_ratio_is_found() -> None:
    generator = np.random.default_rng(5)
    group = generator.integers(0, 2, 400).astype(float)
    # The second group dies late: no constant ratio.
    months = np.where(group == 1, 20 + generator.weibull(3, 400), generator.exponential(20, 400))
    plan = CoxPlan("m", numbers(["group"]), "made up")
    table = pd.DataFrame({"group": group})
    crossed = proportional_hazards(fit_cox(table, outcome(months, np.ones(400)), plan))
    assert crossed["p"].iloc[0] < 1e-6
    months = generator.exponential(np.where(group == 1, 10, 20))
    constant = proportional_hazards(fit_cox(table, outcome(months, np.ones(400)), plan))
    assert constant["p"].iloc[0] > 0.05


def test_the_hazards_put_in_come_out() -> None:
    model = fit_cox(*made_up_patients(2, 3000), replace(PLAN, strata="cohort")).model
    found = dict(zip(model.columns, model.coefficients, strict=True))
    assert found["age"] == pytest.approx(0.3, abs=0.06)
    assert found["state=G"] == pytest.approx(LOG_HAZARDS["G"], abs=0.15)
    assert found["state=O"] == pytest.approx(LOG_HAZARDS["O"], abs=0.2)
    assert found["sex=M"] == pytest.approx(0, abs=0.12)
    one, two = (model.baseline(name).cumulative(np.array([24.0]))[0] for name in ("one", "two"))
    assert two / one == pytest.approx(np.exp(0.7), rel=0.15)


def test_a_bent_term_fits_a_bent_hazard() -> None:
    generator = np.random.default_rng(8)
    x = generator.uniform(0, 10, 1500)
    months = generator.exponential(np.exp(-((x - 5) ** 2) / 8))
    plan = CoxPlan("b", (NumericPlan("x", "x", "", (0, 10), knots=4, reference=5.0),), "made up")
    model = fit_cox(pd.DataFrame({"x": x}), outcome(months, np.ones(1500)), plan).model
    ends = model.risk({"x": [0.5, 5.0, 9.5]})
    assert ends == pytest.approx([2.5, 0, 2.5], abs=0.5)
    row = hazard_table(model).iloc[0]
    assert row["level"].endswith("against " + f"{np.quantile(x, 0.25):.3g}")
    assert row["p"] < 1e-10


def test_the_table_names_every_ratio() -> None:
    patients, followed = made_up_patients()
    model = fit_cox(patients, followed, PLAN).model
    table = hazard_table(model)
    assert table["level"].tolist()[:6] == [
        "by 10 years",
        "F (reference)",
        "M",
        "A (reference)",
        "G",
        "O",
    ]
    assert table.loc[1, "hazard_ratio"] == 1
    assert table.loc[1:2, "patients"].sum() == len(patients)
    error = np.sqrt(model.covariance[0, 0])
    assert np.log(table.loc[0, ["low", "high"]].astype(float)).to_numpy() == pytest.approx(
        model.coefficients[0] + error * 1.959964 * np.array([-1, 1]), abs=1e-6
    )
    alone = univariable_table(patients, followed, PLAN)
    single = hazard_table(fit_cox(patients, followed, replace(PLAN, terms=(AGE,))).model)
    assert alone.loc[0, "hazard_ratio"] == pytest.approx(single.loc[0, "hazard_ratio"])
    both = side_by_side(alone, table)
    assert both["level"].tolist() == both["level_adjusted"].tolist() == table["level"].tolist()
    fewer = side_by_side(alone, table[table["term"] != "Sex"])
    assert fewer["p_adjusted"].isna().tolist()[:3] == [False, True, True]
    assert both["hazard_ratio_adjusted"].tolist() == table["hazard_ratio"].tolist()


def test_a_univariable_fit_takes_everybody_it_can() -> None:
    patients, followed = made_up_patients()
    patients.loc[:49, "age"] = np.nan
    alone = univariable_table(patients, followed, replace(PLAN, terms=(AGE, SEX)))
    assert alone["patients"].tolist()[0] == len(patients) - 50
    assert alone["patients"].tolist()[1:] == patients["sex"].value_counts().sort_index().tolist()


def test_too_few_events_are_refused() -> None:
    patients, followed = made_up_patients()
    few = Outcome(followed.months, followed.event & (np.cumsum(followed.event) <= 9))
    with pytest.raises(ValueError, match="9 deaths are too few; a Cox model needs at least 10"):
        fit_cox(patients, few, replace(PLAN, terms=(AGE,)))
    nobody = Outcome(followed.months, np.zeros(len(followed), bool))
    with pytest.raises(ValueError, match="0 deaths are too few"):
        fit_cox(patients, nobody, PLAN)


def test_missing_covariates_are_the_caller_s_to_leave_out() -> None:
    patients, followed = made_up_patients()
    patients.loc[[3, 5], "volume_ml"] = np.nan
    patients.loc[7, "sex"] = None
    with pytest.raises(ValueError, match="3 of 400 patients lack Sex, Tumour volume"):
        fit_cox(patients, followed, PLAN)
    known = complete_cases(patients, PLAN.terms).to_numpy(bool)
    assert fit_cox(patients[known], followed.take(known), PLAN).model.patients == 397
    with pytest.raises(ValueError, match="no column age"):
        complete_cases(patients.drop(columns="age"), PLAN.terms)


def wrong_rows(name: str, value: object) -> tuple[pd.DataFrame, Outcome]:
    patients, followed = made_up_patients()
    patients[name] = patients[name].astype(object)
    patients.loc[0, name] = value
    return patients, followed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("age", 400.0, "Age of 400 years is not possible"),
        ("age", "old", "Age must be a number"),
        ("volume_ml", -1.0, "Tumour volume of -1 mL is not possible"),
        ("state", "X", "WHO state 'X' was never seen"),
    ],
)
def test_impossible_values_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_cox(*wrong_rows(name, value), PLAN)


def test_a_category_without_deaths_is_refused() -> None:
    patients, followed = made_up_patients()
    living = Outcome(followed.months, followed.event & (patients["state"] != "O").to_numpy())
    with pytest.raises(ValueError, match=r"WHO state O: \d+ patients and no death"):
        fit_cox(patients, living, PLAN)
    absent = replace(PLAN, terms=(CategoricalPlan("sex", "Sex", ("F", "M", "X"), "F"),))
    with pytest.raises(ValueError, match="Sex X: 0 patients and no death"):
        fit_cox(patients, followed, absent)


def test_terms_that_say_nothing_or_the_same_are_refused() -> None:
    patients, followed = made_up_patients()
    patients["again"] = patients["age"] * 2
    same = replace(PLAN, terms=(AGE, NumericPlan("again", "Again", "", (0, 999))))
    with pytest.raises(ValueError, match="does not converge: terms may say the same"):
        fit_cox(patients, followed, same)
    with pytest.raises(ValueError, match="Age is 50 in every patient"):
        fit_cox(patients.assign(age=50.0), followed, PLAN)
    with pytest.raises(ValueError, match="at least one term"):
        replace(PLAN, terms=())
    with pytest.raises(ValueError, match="399 patients but 400 outcomes"):
        fit_cox(patients.iloc[:-1], followed, PLAN)
    with pytest.raises(ValueError, match="3, 4 or 5 knots, not 7"):
        replace(AGE, knots=7)


def test_strata_without_deaths_or_names_are_refused() -> None:
    patients, followed = made_up_patients()
    plan = replace(PLAN, strata="cohort")
    living = Outcome(followed.months, followed.event & (patients["cohort"] == "one").to_numpy())
    with pytest.raises(ValueError, match="nobody died in stratum 'two'"):
        fit_cox(patients, living, plan)
    patients.loc[0, "cohort"] = None
    with pytest.raises(ValueError, match="stratum cohort is not known"):
        fit_cox(patients, followed, plan)


@pytest.fixture(scope="module")
def elsewhere() -> tuple[CoxModel, pd.DataFrame, Outcome]:
    """A model, and another cohort that lives longer and obeys it less."""
    model = fit_cox(*made_up_patients(0, 600), replace(PLAN, terms=(AGE, STATE))).model
    patients, _ = made_up_patients(1, 600)
    generator = np.random.default_rng(4)
    risk = model.risk(patients)
    dead = 60 * generator.exponential(np.exp(-0.6 * risk))
    left = generator.uniform(5, 100, 600)
    return model, patients, outcome(np.minimum(dead, left), dead <= left)


def test_the_level_is_repaired(elsewhere: tuple[CoxModel, pd.DataFrame, Outcome]) -> None:
    model, patients, followed = elsewhere
    made = recalibrate(model, patients, followed, RecalibrationPlan("B", "level"))
    assert np.array_equal(made.model.coefficients, model.coefficients)
    ratio = made.model.baseline().hazard / model.baseline().hazard
    assert np.ptp(ratio) < 1e-12
    assert made.slope == pytest.approx(0.6, abs=0.15)
    again = recalibrate(made.model, patients, followed, RecalibrationPlan("B", "level"))
    # Of uncertain states there are none here, so hazards scale and the level is right at once.
    assert again.expected == pytest.approx(again.observed)
    assert made.observed / made.expected == pytest.approx(float(ratio[0]))


def test_the_slope_is_repaired(elsewhere: tuple[CoxModel, pd.DataFrame, Outcome]) -> None:
    model, patients, followed = elsewhere
    made = recalibrate(model, patients, followed, RecalibrationPlan("B", "slope"))
    assert made.model.coefficients == pytest.approx(model.coefficients * made.slope)
    again = recalibrate(made.model, patients, followed, RecalibrationPlan("B", "slope"))
    assert again.slope == pytest.approx(1, abs=1e-5)
    assert again.expected == pytest.approx(again.observed)
    assert len(again.model.history) == 2
    assert made.model.history[0].startswith("recalibrated (slope) on B, n = 600, ")
    kept = CoxModel.from_document(made.model.document())
    assert kept.history == made.model.history


def test_the_baseline_is_made_anew(elsewhere: tuple[CoxModel, pd.DataFrame, Outcome]) -> None:
    model, patients, followed = elsewhere
    made = recalibrate(model, patients, followed, RecalibrationPlan("B", "baseline"))
    encoded = made.model.encode(patients)
    new = made.model.baseline()
    assert new.patients == 600
    # Martingale residuals of Breslow's baseline sum to zero.
    expected = expected_deaths(made.model.coefficients, new, encoded, followed)
    assert expected == pytest.approx(followed.events)


def test_recalibration_refuses_what_it_cannot(
    elsewhere: tuple[CoxModel, pd.DataFrame, Outcome],
) -> None:
    model, patients, followed = elsewhere
    few = Outcome(followed.months, followed.event & (np.cumsum(followed.event) <= 5))
    with pytest.raises(ValueError, match="5 deaths are too few to recalibrate"):
        recalibrate(model, patients, few, RecalibrationPlan("B", "level"))
    with pytest.raises(ValueError, match="'shape' is neither"):
        RecalibrationPlan("B", "shape")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same risk"):
        recalibrate(
            model, patients.assign(age=50.0, state="A"), followed, RecalibrationPlan("B", "slope")
        )
    told = patients.assign(state=[{"A": 0.5, "G": 0.5}] * len(patients))
    with pytest.raises(ValueError, match="needs known categories"):
        recalibrate(model, told, followed, RecalibrationPlan("B", "baseline"))
    assert recalibrate(model, told, followed, RecalibrationPlan("B", "level")).expected > 0
