"""What sequences add: Shapley's axioms, and a network that learnt from one sequence alone."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpretation_makers import network, shown, trained, unseen

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.tables import all_subsets, subset_name
from gliomaai_training.interpretation.answers import Shown
from gliomaai_training.interpretation.explanations import Target
from gliomaai_training.interpretation.sequence_importance import sequence_importance
from gliomaai_training.interpretation.shapley import (
    Subset,
    dice_importance,
    metric_importance,
    shapley_values,
)
from gliomaai_training.networks.multitask import View
from gliomaai_training.progress import Cancelled
from gliomaai_training.vocabulary import REGIONS, SEQUENCES

MUTANT = Target("idh", "mutant")
RISK = Target("risk")
PRIOR = {MUTANT: 0.3, RISK: -0.2}
FEW = BootstrapConfig(resamples=50)


def subsets_of(players: tuple[str, ...]) -> list[Subset]:
    sizes = range(len(players) + 1)
    return [frozenset(one) for size in sizes for one in combinations(players, size)]


@st.composite
def games(draw: st.DrawFn) -> dict[Subset, float]:
    players = SEQUENCES[: draw(st.integers(1, 4))]
    number = st.floats(-100, 100, allow_nan=False)
    return {one: draw(number) for one in subsets_of(players)}


@given(games())
@settings(max_examples=60, deadline=None)
def test_values_are_mean_gains_over_all_orders_and_sum_to_what_all_add(
    game: dict[Subset, float],
) -> None:
    players = sorted(max(game, key=len), key=SEQUENCES.index)
    gains: dict[str, list[float]] = {one: [] for one in players}
    for order in permutations(players):
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            gains[player].append(game[before | {player}] - game[before])
    found = shapley_values(game)
    assert list(found) == players
    assert found == pytest.approx({one: np.mean(gains[one]) for one in players}, abs=1e-9)
    assert sum(found.values()) == pytest.approx(game[frozenset(players)] - game[frozenset()])


@given(games(), st.floats(-5, 5))
@settings(max_examples=60, deadline=None)
def test_who_adds_always_the_same_has_that_value(game: dict[Subset, float], gain: float) -> None:
    """A dummy: nothing, or a constant."""
    extended = {**game, **{one | {"dummy"}: value + gain for one, value in game.items()}}
    found = shapley_values(extended)
    assert found["dummy"] == pytest.approx(gain, abs=1e-9)
    assert found == pytest.approx({**shapley_values(game), "dummy": gain}, abs=1e-9)


@given(games(), st.data())
@settings(max_examples=60, deadline=None)
def test_equals_have_equal_values(game: dict[Subset, float], data: st.DataObject) -> None:
    """Two whose names can be exchanged; the game is made symmetric in them."""
    players = tuple(sorted(max(game, key=len), key=SEQUENCES.index))
    if len(players) < 2:
        return
    one, other = data.draw(st.permutations(players))[:2]
    swap = {one: other, other: one}
    symmetric = {
        subset: game[subset] + game[frozenset(swap.get(name, name) for name in subset)]
        for subset in game
    }
    found = shapley_values(symmetric)
    assert found[one] == pytest.approx(found[other], abs=1e-9)


def test_a_missing_subset_is_named() -> None:
    game = dict.fromkeys(subsets_of(SEQUENCES), 1.0)
    del game[frozenset({"t1", "flair"})]
    with pytest.raises(ValueError, match=r"t1\+flair"):
        shapley_values(game)
    with pytest.raises(ValueError, match="missing"):
        shapley_values({})


def test_a_metric_of_a_cohort() -> None:
    auc = {subset_name(one): 0.9 if "t1gd" in one else 0.5 for one in all_subsets()}
    found = metric_importance(auc, 0.5)
    assert found == pytest.approx({"t1": 0, "t1gd": 0.4, "t2": 0, "flair": 0}, abs=1e-12)
    with pytest.raises(ValueError, match="'dwi' is no subset"):
        metric_importance({**auc, "dwi": 0.5}, 0.5)
    del auc["t1"]
    with pytest.raises(ValueError, match="'t1' is missing"):
        metric_importance(auc, 0.5)


def test_the_sequence_that_was_learnt_from_dominates() -> None:
    for ball in unseen():
        log_odds, probability = sequence_importance(trained(), shown(ball), {MUTANT: 0.5})
        for found in (log_odds, probability):
            strengths = {name: abs(value) for name, value in found.values.items()}
            assert max(strengths, key=strengths.__getitem__) == "t2"
            assert (found.values["t2"] > 0) == ball.mutant
            assert sum(found.values.values()) == pytest.approx(found.full - found.empty)


@pytest.mark.parametrize("masked", [True, False])
def test_values_sum_to_what_the_images_change(masked: bool) -> None:
    net, one = network(), shown(unseen()[0], masked=masked)
    found = sequence_importance(net, one, PRIOR)
    assert [(each.target, each.scale) for each in found] == [
        (MUTANT, "log-odds"),
        (MUTANT, "probability"),
        (RISK, "log-risk"),
    ]
    with torch.inference_mode():
        tasks = net(one.view, one.mask).tasks
    answers = [
        float(tasks["idh"][0, 1] - tasks["idh"][0, 0]),
        float(torch.softmax(tasks["idh"][0], 0)[1]),
        float(tasks["risk"][0, 0]),
    ]
    priors = [np.log(0.3 / 0.7), 0.3, -0.2]
    for each, answer, prior in zip(found, answers, priors, strict=True):
        assert tuple(each.values) == SEQUENCES
        assert each.full == pytest.approx(answer, abs=1e-5)
        assert each.empty == pytest.approx(prior)
        assert sum(each.values.values()) == pytest.approx(each.full - each.empty)


def test_temperature_makes_an_answer_milder() -> None:
    one = shown(unseen()[0])
    plain, _ = sequence_importance(network(), one, {MUTANT: 0.5})
    cooled = Shown(one.view, one.mask, {"idh": 2.0})
    mild, _ = sequence_importance(network(), cooled, {MUTANT: 0.5})
    assert mild.values == pytest.approx({name: v / 2 for name, v in plain.values.items()})


@pytest.mark.parametrize(("count", "passes"), [(4, 15), (3, 7), (1, 1)])
def test_every_subset_of_what_is_there_is_passed_once(count: int, passes: int) -> None:
    told: list[float] = []
    present = (False,) * (4 - count) + (True,) * count
    one = shown(unseen()[0], present)
    (found,) = sequence_importance(network(), one, {RISK: 0.0}, lambda _, done: told.append(done))
    assert tuple(found.values) == SEQUENCES[4 - count :]
    assert len(told) == passes + 1
    assert told == sorted(told)
    assert told[-1] == 1


def test_what_is_absent_does_not_matter() -> None:
    one = shown(unseen()[0], (True, True, False, True))
    before = sequence_importance(network(), one, PRIOR)
    one.view.images[:, 2] = 1000.0
    assert sequence_importance(network(), one, PRIOR) == before


def test_a_crop_of_a_whole_is_explained() -> None:
    images = shown(unseen()[0]).view.images
    everything = torch.ones(1, 4, dtype=torch.bool)
    view = View(images, everything, images + 1, torch.tensor([[[0.25, 0.75]] * 3]))
    (found,) = sequence_importance(network(global_branch=True), Shown(view), {RISK: 0.0})
    assert sum(found.values.values()) == pytest.approx(found.full - found.empty)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({}, "at least one"),
        ({MUTANT: 0.0}, "between 0 and 1"),
        ({MUTANT: 1.0}, "between 0 and 1"),
        ({MUTANT: float("nan")}, "between 0 and 1"),
        ({RISK: float("nan")}, "finite"),
        ({Target("histology", "glioblastoma"): 0.5}, "does not answer"),
    ],
)
def test_wrong_priors_are_refused(prior: dict[Target, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sequence_importance(network(), shown(unseen()[0]), prior)


def test_it_is_stopped_and_leaves_the_network_as_it_was() -> None:
    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    net = network().train()
    with pytest.raises(Cancelled):
        sequence_importance(net, shown(unseen()[0]), PRIOR, stop)
    assert net.training


GAINS = {"t1": 0.05, "t1gd": 0.5, "t2": 0.1, "flair": 0.2}


def results(cases: int = 4, truth_ml: float = 10.0) -> pd.DataFrame:
    """Dice as a sum of what each sequence gives, from `truth_ml == 0` on that of a lack."""
    rows = []
    for case in range(cases):
        for subset in all_subsets():
            for region in REGIONS:
                dice = sum(GAINS[name] for name in subset) * (1 - 0.1 * case)
                rows.append(
                    {
                        "patient": f"patient-{case // 2}",
                        "case": f"case-{case}",
                        "sequences": subset_name(subset),
                        "region": region,
                        "dice": dice if truth_ml or region != "ET" else 1.0,
                        "hd95_mm": 1.0,
                        "lesion_dice": 0.5,
                        "truth_ml": truth_ml if region == "ET" else 10.0,
                    }
                )
    return pd.DataFrame(rows)


def test_dice_of_a_cohort_is_shared_out() -> None:
    table = dice_importance(results(), np.random.default_rng(0), FEW)
    assert list(table["region"]) == [region for region in REGIONS for _ in SEQUENCES]
    assert set(table["cases"]) == {4}
    for name, gain in GAINS.items():
        rows = table[table["sequence"] == name]
        assert rows["dice"].to_numpy() == pytest.approx([0.85 * gain] * 3)
        assert (rows["low"] <= rows["dice"]).all()
        assert (rows["high"] >= rows["dice"]).all()


def test_where_a_region_is_not_there_nobody_has_to_draw_it() -> None:
    """Nothing drawn is then right, and no sequence adds to it."""
    table = dice_importance(results(truth_ml=0.0), np.random.default_rng(0), FEW)
    assert not table.loc[table["region"] == "ET", "dice"].any()
    assert table.loc[table["region"] == "WT", "dice"].sum() == pytest.approx(0.85 * 0.85)


def test_cases_without_all_subsets_are_left_out() -> None:
    frame = results()
    lacking = frame[~((frame["case"] == "case-0") & (frame["sequences"] == "t1"))]
    table = dice_importance(lacking, np.random.default_rng(0), FEW)
    assert set(table["cases"]) == {3}
    with pytest.raises(ValueError, match="no case was scored with all 15"):
        dice_importance(frame[frame["sequences"] != "t1"], np.random.default_rng(0), FEW)
    with pytest.raises(ValueError, match="truth_ml"):
        dice_importance(frame.drop(columns="truth_ml"), np.random.default_rng(0), FEW)
