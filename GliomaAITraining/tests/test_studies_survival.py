"""The parts of the survival studies on made-up patients whose hazard is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_makers import RESECTED, made_up_cohort, made_up_part

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.controls import (
    Control,
    permutation_reading,
    permutation_table,
    permuted,
)
from gliomaai_training.studies.figures import differences_plot
from gliomaai_training.studies.postoperative_models import (
    PLAIN,
    SHAPES_OF_AGE,
    Part,
    cross_fitted,
    fit,
    joint_model,
    jointly,
    repaired,
    with_published_resection,
)
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.studies.preoperative_models import cross_fitted_net, cross_fitted_risk
from gliomaai_training.studies.published import (
    BROWN_2016,
    RESECTION_MIX,
    hazard_ratio,
    with_published,
)
from gliomaai_training.studies.scores import (
    Judged,
    calibration_table,
    difference_table,
    discrimination_table,
)
from gliomaai_training.studies.selection import Candidate, choose, judge
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.terms import CategoricalTerm

CONFIG = BootstrapConfig(resamples=50)


@pytest.fixture(scope="module")
def training() -> Part:
    return Part(*made_up_part(400, 1))


@pytest.fixture(scope="module")
def test_part() -> Part:
    return Part(*made_up_part(250, 2))


def judged_of(part: Part) -> Judged:
    return Judged(part.followed, part.table["who_state"].to_numpy(object), 1, CONFIG)


def test_selection_finds_what_matters_and_leaves_noise(training: Part) -> None:
    noisy = Candidate("with noise", (*PLAIN.terms, c.MGMT))
    found = [
        judge(one, training.table, training.followed, 1, 2)
        for one in (SHAPES_OF_AGE[0], PLAIN, noisy)
    ]
    assert found[1].total < found[0].total
    assert choose(found).candidate is PLAIN
    assert found[1].c_glioblastoma > 0.6
    assert found[0].c_glioblastoma == 0.5


def test_helpers_are_fitted_on_but_never_judged(training: Part) -> None:
    """Patients whose outcome is nonsense change the fit and not who is judged."""
    nonsense = training.take(np.arange(400) < 60)
    nonsense = Part(
        nonsense.table.assign(assumed=True), nonsense.followed.take(np.arange(60)[::-1])
    )
    table, followed = c.stacked(
        [(training.table, training.followed), (nonsense.table, nonsense.followed)]
    )
    alone = judge(PLAIN, training.table, training.followed, 1, 1)
    helped = judge(replace(PLAIN, only_fit=c.ASSUMED), table, followed, 1, 1)
    assert helped.deviance.shape == alone.deviance.shape
    assert helped.total > alone.total


def test_glioblastoma_is_assumed_only_where_it_may_be() -> None:
    cohort = made_up_cohort("MADE", 30, 1)
    patients = cohort.patients.copy()
    patients.loc[:9, ["who_state", "idh", "grade"]] = [None, None, 4.0]
    patients.loc[:9, "possible_states"] = "GBM A4"
    patients.loc[:4, "age_years"] = 70.0
    patients.loc[5:9, "age_years"] = 40.0
    patients = patients.astype(dict.fromkeys(("who_state", "idh", "possible_states"), object))
    patients["who_state"] = patients["who_state"].where(patients["who_state"].notna(), None)
    patients["idh"] = patients["idh"].where(patients["idh"].notna(), None)
    table, followed = c.with_assumed_glioblastomas(replace(cohort, patients=patients))
    assert len(table) == len(followed) == 25
    assert table[c.ASSUMED].sum() == 5
    assert (table.loc[table[c.ASSUMED], "who_state"] == "GBM").all()
    assert (table.loc[table[c.ASSUMED], c.AGE_IN_GLIOBLASTOMA.name] == 70.0).all()


def test_predicted_survival_of_folds_is_that_of_each_model(training: Part, test_part: Part) -> None:
    models = tuple(
        fit(training.take(np.arange(400) % 2 == half), PLAIN.terms, "half", "made up").model
        for half in (0, 1)
    )
    fold = np.arange(250) % 2
    both = PredictedSurvival(models, test_part.table, fold)
    for half, model in enumerate(models):
        expected = model.survival(test_part.table[fold == half], [12.0, 24.0])
        np.testing.assert_allclose(both.survival([12.0, 24.0])[fold == half], expected)
    one = PredictedSurvival.of(models[0], test_part.table)
    order = np.argsort(models[0].risk(test_part.table))
    assert (np.diff(one.risk()[order]) >= -1e-9).all()
    own = one.own_survival(test_part.followed)
    at = float(test_part.followed.months[3])
    assert own[3] == pytest.approx(one.survival(at)[3, 0])


def test_published_ratios_reproduce_the_relative_risk_they_come_from() -> None:
    for level, (risk, _, _) in BROWN_2016.relative_risk.items():
        reference = BROWN_2016.reference_risk
        died = 1 - (1 - reference) ** hazard_ratio(BROWN_2016, risk)
        assert died / reference == pytest.approx(risk), level


def test_published_resection_keeps_the_mean_risk_of_the_mix(training: Part) -> None:
    model = fit(training, PLAIN.terms, "plain", "made up").model
    more = with_published_resection(model)
    assert more.columns[-2:] == ("resection=biopsy", "resection=gross total")
    row = training.table.iloc[[0]].assign(resection="subtotal")
    ratios = [
        np.exp(more.risk(row.assign(resection=level)) - more.risk(row))[0] * share
        for level, share in RESECTION_MIX.items()
    ]
    mean_hazard = sum(ratios) * more.baseline().cumulative(np.array([12.0]))[0]
    assert mean_hazard == pytest.approx(model.baseline().cumulative(np.array([12.0]))[0])
    term = CategoricalTerm("resection", "resection", ("subtotal", "lobectomy"), "subtotal", (0, 0))
    with pytest.raises(ValueError, match="not all published"):
        with_published(model, term, BROWN_2016, RESECTION_MIX)


def test_the_joint_model_takes_resection_from_the_cohort_that_knows_it(
    training: Part, test_part: Part
) -> None:
    blind = Part(training.table.assign(resection=None), training.followed)
    model = joint_model(blind, test_part, (*PLAIN.terms, c.RESECTION), "joint")
    ratio = dict(zip(model.columns, model.coefficients, strict=True))
    assert ratio["resection=biopsy"] == pytest.approx(RESECTED["biopsy"], abs=0.5)
    assert ratio["resection=gross total"] == pytest.approx(RESECTED["gross total"], abs=0.4)
    assert model.strata == ("",)
    counted = test_part.table["resection"].value_counts()
    term = model.terms[-1]
    assert isinstance(term, CategoricalTerm)
    assert term.counts == tuple(counted[level] for level in term.levels)


def test_who_is_judged_never_helped_to_fit(training: Part, test_part: Part) -> None:
    """With the outcome of one fold shuffled, its own predictions stay what they were."""
    refit = jointly(training, PLAIN.terms)
    before = cross_fitted(test_part, 3, refit, 3)
    rows = before.model_of == 0
    months = test_part.followed.months.copy()
    months[rows] = months[rows][::-1]
    event = test_part.followed.event.copy()
    changed = Part(test_part.table, replace(test_part.followed, months=months, event=event))
    after = cross_fitted(changed, 3, refit, 3)
    np.testing.assert_array_equal(before.model_of, after.model_of)
    np.testing.assert_allclose(before.risk()[rows], after.risk()[rows])
    assert not np.allclose(before.risk()[~rows], after.risk()[~rows])


def test_a_recalibration_repairs_what_was_off(training: Part, test_part: Part) -> None:
    """A model whose hazard is doubled predicts too many deaths until it is repaired."""
    model = with_published_resection(fit(training, PLAIN.terms, "plain", "made up").model)
    wrong = replace(
        model,
        baselines={"": replace(model.baseline(), hazard=2.5 * model.baseline().hazard)},
    )
    predicted = {
        "wrong": PredictedSurvival.of(wrong, test_part.table),
        "repaired": cross_fitted(test_part, 1, repaired(wrong, "slope"), 5),
    }
    table = calibration_table(predicted, judged_of(test_part))
    ratio = {
        row["model"]: float(row["observed / predicted"].split()[0])
        for row in table.to_dict("records")
        if row["months"] == "24"
    }
    assert ratio["wrong"] < 0.85
    assert abs(ratio["repaired"] - 1) < 0.1


def test_tables_say_what_can_be_told(training: Part, test_part: Part) -> None:
    alone = fit(training, SHAPES_OF_AGE[0].terms, "state", "made up").model
    plain = fit(training, PLAIN.terms, "plain", "made up").model
    predicted = {
        "state": PredictedSurvival.of(alone, test_part.table),
        "plain": PredictedSurvival.of(plain, test_part.table),
    }
    judged = judged_of(test_part)
    table = discrimination_table(predicted, judged)
    estimate = float(table["Harrell C"][1].split()[0])
    assert estimate == pytest.approx(
        harrell_c(plain.risk(test_part.table), test_part.followed), abs=6e-4
    )
    assert table["C within GBM"][0].startswith("0.500")
    risks = {name: one.risk() for name, one in predicted.items()}
    changes = difference_table([("plain", risks["plain"], "state", risks["state"])], judged)
    assert list(changes["patients"]) == ["all", "GBM"]
    assert changes["difference of C"][0].startswith("+")
    few = judged.take(np.arange(250) < 12)
    short = discrimination_table({"plain": predicted["plain"].take(np.arange(250) < 12)}, few)
    assert short["AUC 60 mo"][0] == ""


def test_permuted_outcomes_come_back_to_a_half(training: Part) -> None:
    part = training.take(np.arange(400) < 200)
    control = Control(
        "age, sex", "MADE", part, (c.AGE, c.SEX), part.table["who_state"].to_numpy(object), "GBM"
    )
    table = permutation_table([control], StudySettings(Path(), resamples=40))
    mean = float(table["C, permuted"][0].split()[0])
    assert abs(mean - 0.5) < 0.03
    assert float(table["C of the true outcomes"][0]) > 0.6
    assert "every interval holds .5" in permutation_reading(table)
    leaking = table.assign(**{"C, permuted": "0.700 (0.600 to 0.800)"})
    assert "something leaks" in permutation_reading(leaking)


def test_a_permutation_keeps_patients_and_outcomes(training: Part) -> None:
    other = permuted(training, np.random.default_rng(1))
    assert other.table is training.table
    np.testing.assert_array_equal(np.sort(other.followed.months), np.sort(training.followed.months))
    assert other.followed.events == training.followed.events


def test_cross_fitted_risks_order_patients_and_noise_does_not(training: Part) -> None:
    part = training.take(np.arange(400) < 200)
    assert harrell_c(cross_fitted_risk(part, (c.AGE,), 1, 1), part.followed) > 0.6
    noise = np.random.default_rng(0).normal(size=(200, 6))
    features = pd.DataFrame(noise, columns=[f"x{number}" for number in range(6)])
    found = harrell_c(cross_fitted_net(features, part.followed, 1), part.followed)
    assert abs(found - 0.5) < 0.09


def test_differences_are_drawn(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "model": ["age, volume", "age, volume"],
            "compared with": ["age", "age"],
            "patients": ["all", "GBM"],
            "n": [10, 5],
            "difference of C": ["+0.010 (-0.020 to +0.030)", ""],
        }
    )
    differences_plot({"one": table}, tmp_path / "d.png")
    assert (tmp_path / "d.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="no differences"):
        differences_plot({}, tmp_path / "e.png")
