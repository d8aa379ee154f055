"""Survival through the predicted WHO state: who is judged never helped."""

import numpy as np
import pandas as pd
import pytest
from study_makers import STATES, made_up_part

from gliomaai_training.diagnosis.covariates import AGE_AND_SEX
from gliomaai_training.diagnosis.fit_joint_model import JointFitConfig
from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.postoperative_models import Part
from gliomaai_training.studies.predicted_state import (
    CHANCE_OF_MUTANT,
    Crossed,
    as_covariate,
    by_config,
    crossed,
    informative,
    mixture,
    stratified_model,
    with_chances,
    without,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.outcome import Outcome

FIT = by_config(JointFitConfig(AGE_AND_SEX, (1e-2,), folds=2))
TERMS = (c.AGE, c.SEX, c.STATE)


@pytest.fixture(scope="module")
def part() -> Part:
    return Part(*made_up_part(240, 4))


@pytest.fixture(scope="module")
def found(part: Part) -> Crossed:
    return crossed(part, FIT, 3, 1, inner=True)


def refit(part: Part) -> CoxModel:
    return stratified_model({"MADE": part}, TERMS, "m")


def test_nobody_s_own_state_helps_to_predict_it(part: Part, found: Crossed) -> None:
    table = part.table.copy()
    of_first = np.flatnonzero(found.fold == 0)
    table.loc[of_first, "possible_states"] = [
        "O2" if state == "GBM" else "GBM" for state in table.loc[of_first, "who_state"]
    ]
    again = crossed(Part(table, part.followed), FIT, 3, 1)
    assert again.chances[of_first] == pytest.approx(found.chances[of_first], abs=1e-12)
    others = found.fold != 0
    assert np.abs(again.chances[others] - found.chances[others]).max() > 0.05


def test_nobody_s_own_outcome_helps_to_predict_survival(part: Part, found: Crossed) -> None:
    months, event = part.followed.months.copy(), part.followed.event.copy()
    of_first = found.fold == 0
    months[of_first], event[of_first] = months[of_first][::-1], ~event[of_first]
    other = Crossed(
        Part(part.table, Outcome(months, event)), found.fold, found.chances, found.inner
    )
    for way in (
        lambda one: mixture(one, refit),
        lambda one: as_covariate(one, (c.AGE,)),
    ):
        before, after = way(found).survival([12.0])[:, 0], way(other).survival([12.0])[:, 0]
        assert after[of_first] == pytest.approx(before[of_first], abs=1e-12)
        assert np.abs(after[~of_first] - before[~of_first]).max() > 1e-3


def test_inner_states_are_of_the_training_patients(found: Crossed) -> None:
    for number, chances in enumerate(found.inner):
        train = found.fold != number
        assert np.isfinite(chances[train]).all()
        assert np.isnan(chances[~train]).all()
        # They are not those of the outer folds, whose models saw the fold that is left out.
        assert np.abs(chances[train] - found.chances[train]).max() > 1e-3


def test_a_mixture_is_the_mean_over_the_states(part: Part, found: Crossed) -> None:
    predicted = mixture(found, refit)
    row = int(np.flatnonzero(found.fold == 1)[0])
    model = predicted.models[1]
    patient = {name: [part.table[name].iloc[row]] for name in ("age_years", "sex")}
    alive = [model.survival(patient | {"who_state": [s]}, 24.0)[0, 0] for s in WHO_STATES]
    expected = found.chances[row] @ np.array(alive)
    assert predicted.survival([24.0])[row, 0] == pytest.approx(expected)


def test_predicted_states_order_patients_better_than_chance(part: Part, found: Crossed) -> None:
    mutant = (part.table["who_state"] != "GBM").to_numpy()
    chance = with_chances(part.table, found.chances)[CHANCE_OF_MUTANT.name].to_numpy(np.float64)
    assert chance[mutant].mean() > chance[~mutant].mean() + 0.2


def test_who_teaches_nothing_is_left_out() -> None:
    table = pd.DataFrame({"possible_states": ["GBM", "GBM A4", " ".join(STATES), None]})
    assert informative(table)["possible_states"].tolist() == ["GBM", "GBM A4"]


def test_people_of_another_cohort_are_left_out(part: Part) -> None:
    names = part.table["patient"].tolist()
    person_of = {name: name for name in names} | {"elsewhere-1": names[3]}
    left = without(part, person_of, ["elsewhere-1"])
    assert len(left.followed) == len(names) - 1
    assert names[3] not in left.table["patient"].tolist()
