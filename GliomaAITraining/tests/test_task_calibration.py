"""Temperatures from labels known in part, and calibration before and after, by patient."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_makers import (
    cohort_of_states,
    drawn_truth,
    powered,
    state_chances,
    table_of,
)
from scipy.special import logsumexp

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.figures import probability_plot
from gliomaai_training.evaluation.probability_scores import calibration_error
from gliomaai_training.evaluation.reliability import TEMPERATURE_RANGE, fit_temperature
from gliomaai_training.evaluation.tasks.answers import HeldOut, answers, tasks_in
from gliomaai_training.evaluation.tasks.calibration import (
    AS_PREDICTED,
    SCALED,
    CalibrationScores,
    calibration_differences,
    calibration_table,
    log_losses,
)
from gliomaai_training.evaluation.tasks.temperature import (
    fit_task_temperature,
    fit_temperatures,
    rescaled,
)
from gliomaai_training.evaluation.tasks.truth import truth_of

FEW = BootstrapConfig(resamples=30)


def singles(states: np.ndarray) -> np.ndarray:
    return np.eye(len(LABELS), dtype=bool)[states]


def estimate(cell: str) -> float:
    """Of an interval as tables have it."""
    return float(cell.split(" ")[0])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found(temperature: float) -> None:
    chances = state_chances(1500, seed=1, concentration=0.5)
    draw = np.random.default_rng(2)
    truth = np.array([draw.choice(len(LABELS), p=row / row.sum()) for row in chances])
    found = fit_task_temperature(powered(chances, 1 / temperature), singles(truth))
    assert found.temperature == pytest.approx(temperature, rel=0.12)
    assert found.log_loss_after <= found.log_loss_before
    assert (found.patients, found.at_limit) == (1500, False)


def test_decided_labels_give_the_temperature_of_the_segmentation_s_fit() -> None:
    chances = powered(state_chances(300, seed=3), 0.4)
    truth = np.random.default_rng(4).integers(0, 6, 300)
    found = fit_task_temperature(chances, singles(truth))
    other = fit_temperature(np.log(np.maximum(chances, 1e-12)), truth)
    assert found.temperature == pytest.approx(other, rel=1e-3)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000))
def test_no_temperature_fits_labels_known_in_part_better(seed: int) -> None:
    """Where classes are summed the loss may have several valleys: the lowest is found."""
    draw = np.random.default_rng(seed)
    chances = draw.dirichlet(np.full(5, 0.3), 12)
    possible = draw.random((12, 5)) < 0.5
    possible[np.arange(12), draw.integers(0, 5, 12)] = True
    possible[0] = [True, False, False, False, False]
    found = fit_task_temperature(chances, possible)
    assert TEMPERATURE_RANGE[0] <= found.temperature <= TEMPERATURE_RANGE[1]
    values = np.log(np.maximum(chances, 1e-12))[~possible.all(axis=1)]
    some = np.where(possible[~possible.all(axis=1)], values, -np.inf)
    if found.temperature == 1 and found.at_limit:
        return
    for other in np.geomspace(*TEMPERATURE_RANGE, 60):
        loss = np.mean(logsumexp(values / other, axis=1) - logsumexp(some / other, axis=1))
        assert found.log_loss_after <= loss + 1e-4


def test_who_can_have_anything_says_nothing() -> None:
    chances = powered(state_chances(60, seed=5), 0.5)
    possible = singles(np.random.default_rng(6).integers(0, 6, 60))
    everything = np.concatenate([possible, np.ones((40, len(LABELS)), bool)])
    more = np.concatenate([chances, state_chances(40, seed=7)])
    assert fit_task_temperature(more, everything) == fit_task_temperature(chances, possible)
    with pytest.raises(ValueError, match="of whom something is known"):
        fit_task_temperature(chances, np.ones((60, len(LABELS)), bool))
    with pytest.raises(ValueError, match="probabilities"):
        fit_task_temperature(chances, possible[:3])


def test_validation_without_errors_cannot_make_a_network_surer() -> None:
    """Any certainty would seem right; where all is wrong, none can be too low."""
    chances = np.array([[0.8, 0.2], [0.3, 0.7]])
    right = fit_task_temperature(chances, np.eye(2, dtype=bool))
    assert (right.temperature, right.at_limit) == (1.0, True)
    assert right.log_loss_after == right.log_loss_before
    wrong = fit_task_temperature(chances, ~np.eye(2, dtype=bool))
    assert wrong.at_limit
    assert wrong.temperature == pytest.approx(TEMPERATURE_RANGE[1], rel=0.01)


def test_every_network_has_its_own_temperature() -> None:
    """Runs and folds are other networks; facts of the state need none of their own."""
    chances = state_chances(900, seed=8)
    truth = drawn_truth(chances, 9)
    parts = [
        table_of(powered(chances[start : start + 300], 1 / hot), first=start).assign(fold=fold)
        for start, hot, fold in ((0, 1.0, "a"), (300, 2.0, "b"), (600, 4.0, "c"))
    ]
    table = pd.concat(parts)
    fits = fit_temperatures(table, truth)
    found = {fold: fits["1", fold]["state"].temperature for fold in "abc"}
    assert found == pytest.approx({"a": 1.0, "b": 2.0, "c": 4.0}, rel=0.25)
    scaled = rescaled(table, fits)
    given = {name: answers(one, truth, "idh") for name, one in (("raw", table), ("ok", scaled))}
    assert log_losses(given["ok"]).mean() < log_losses(given["raw"]).mean()
    assert not table.equals(scaled)
    with pytest.raises(ValueError, match="1 networks have no temperature for state"):
        rescaled(table, {key: fits[key] for key in (("1", "a"), ("1", "b"))})


def test_scaling_changes_neither_ranks_nor_risks_nor_names() -> None:
    chances = state_chances(50, seed=10)
    table = table_of(powered(chances, 0.3)).assign(risk=np.arange(50.0), idh_std=0.1)
    truth = drawn_truth(chances, 11)
    scaled = rescaled(table, fit_temperatures(table, truth))
    assert list(scaled.columns) == list(table.columns)
    pd.testing.assert_frame_equal(
        scaled[["case", "risk", "idh_std"]], table[["case", "risk", "idh_std"]]
    )
    before, after = (answers(one, truth, "state") for one in (table, scaled))
    np.testing.assert_array_equal(before.correct, after.correct)
    np.testing.assert_allclose(after.probabilities.sum(axis=1), 1)


def test_answers_are_of_those_of_whom_something_is_known() -> None:
    truth = truth_of(cohort_of_states([("A2",), ("A2", "A4"), (), ("GBM",)]))
    given = answers(table_of(state_chances(4, seed=12)), truth, "state")
    assert given.case.tolist() == ["P0", "P1", "P3"]
    assert given.decided.tolist() == [True, False, True]
    grade = answers(table_of(state_chances(4, seed=12)), truth, "grade")
    assert grade.possible.tolist() == [
        [True, False, False],
        [True, False, True],
        [False, False, True],
    ]
    some = given.probabilities[1, [1, 3]].sum()
    assert log_losses(given)[1] == pytest.approx(-np.log(some))


def test_what_a_table_answers() -> None:
    state = table_of(state_chances(2, seed=13))
    assert tasks_in(state) == ("state", "idh", "codeletion_1p19q", "grade")
    alone = table_of(np.full((2, 2), 0.5), task="histology")
    assert tasks_in(alone) == ("histology",)
    truth = truth_of(cohort_of_states([("A2",), ("GBM",)]))
    with pytest.raises(ValueError, match="do not answer 'idh', but histology"):
        answers(alone, truth, "idh")
    with pytest.raises(ValueError, match="nothing was predicted from flair"):
        answers(state, truth, "state", "flair")
    with pytest.raises(ValueError, match="not in the cohort"):
        answers(table_of(state_chances(3, seed=13)), truth, "state")


def test_nobody_is_calibrated_and_judged_by_the_same_network() -> None:
    table = table_of(state_chances(6, seed=14))
    with pytest.raises(ValueError, match="2 validation patients"):
        HeldOut(table.iloc[:4], table.iloc[2:])
    # Another network of a cross-validation may have been asked.
    HeldOut(table.assign(fold="a"), table.assign(fold="b"))
    # By patient: another scan of a validation patient is no test scan.
    second = table.iloc[4:].assign(patient=["P0", "P9"])
    with pytest.raises(ValueError, match="1 validation patients"):
        HeldOut(table.iloc[:4], second)


def held_out(chances: np.ndarray, hot: float, run: str = "1") -> HeldOut:
    table = table_of(powered(chances, 1 / hot), run)
    return HeldOut(table.iloc[: len(table) // 2], table.iloc[len(table) // 2 :])


def test_the_table_tells_who_was_too_sure_and_that_scaling_helps() -> None:
    chances = state_chances(500, seed=15)
    truth = drawn_truth(chances, 16)
    named = {"plain": held_out(chances, 3.0), "with CutMix": held_out(chances, 1.0)}
    table = calibration_table(named, truth, np.random.default_rng(17), config=FEW)
    assert len(table) == 2 * 4 * 2
    cells = table.set_index(["model", "task", "probabilities"])
    assert float(cells.loc[("plain", "state", SCALED), "temperature"]) == pytest.approx(3, rel=0.25)
    assert cells.loc[("plain", "idh", AS_PREDICTED), "temperature"] == ""
    for task in ("state", "idh", "grade"):
        raw, scaled, mixed = (
            cells.loc[key]
            for key in (
                ("plain", task, AS_PREDICTED),
                ("plain", task, SCALED),
                ("with CutMix", task, AS_PREDICTED),
            )
        )
        for score in ("log loss", "ECE, equal mass", "ECE, equal width"):
            assert estimate(raw[score]) > estimate(scaled[score])
            assert estimate(raw[score]) > estimate(mixed[score])
        assert float(raw["confidence less accuracy"]) > 0.05
        assert estimate(mixed["ECE, equal mass"]) < 2.5 * float(mixed["ECE by chance"])
    assert set(table["patients"]) == {250}


def test_scores_are_those_of_the_literature() -> None:
    chances = state_chances(80, seed=18)
    given = answers(table_of(chances), drawn_truth(chances, 19), "idh")
    scores = CalibrationScores.of(given)
    found = scores.statistics(np.ones((1, 80), np.int64))[0]
    right = given.correct.astype(float)
    index = given.possible.argmax(axis=1)
    expected = [
        -np.log(given.probabilities[np.arange(80), index]).mean(),
        2 * np.mean((given.probabilities[:, 1] - given.possible[:, 1]) ** 2),
        calibration_error(given.confidence, right, equal_mass=True),
        calibration_error(given.confidence, right, equal_mass=False),
    ]
    np.testing.assert_allclose(found, expected)


def test_runs_are_averaged_and_are_no_patients() -> None:
    chances = state_chances(60, seed=20)
    truth = drawn_truth(chances, 21)
    tables = [table_of(powered(chances, 1 / hot), run) for hot, run in ((1.0, "1"), (3.0, "2"))]
    ones = np.ones((1, 60), np.int64)
    alone = [CalibrationScores.of(answers(one, truth, "state")).statistics(ones) for one in tables]
    both = CalibrationScores.of(answers(pd.concat(tables), truth, "state"))
    assert len(both.cases) == 60
    np.testing.assert_allclose(both.statistics(ones), np.mean(alone, axis=0))


def test_differences_are_paired() -> None:
    chances = state_chances(400, seed=22)
    truth = drawn_truth(chances, 23)
    named = {"plain": held_out(chances, 3.0), "again": held_out(chances, 3.0)}
    table = calibration_differences(named, truth, np.random.default_rng(24), config=FEW)
    assert len(table) == 4 * 4
    scaling = table[(table["task"] == "state") & (table["first"] == f"plain, {SCALED}")].iloc[0]
    assert scaling["second"] == f"plain, {AS_PREDICTED}"
    low, high = scaling["log loss"].split("(")[1].rstrip(")").split(" to ")
    assert float(low) < float(high) < 0
    same = table[table["first"].str.startswith("again") & table["second"].str.startswith("plain")]
    assert set(same["ECE, equal mass"]) == {"0.000 (0.000 to 0.000)"}
    other = {
        "plain": named["plain"],
        "fewer": HeldOut(named["plain"].validation, named["plain"].test.iloc[1:]),
    }
    with pytest.raises(ValueError, match="different cases"):
        calibration_differences(other, truth, np.random.default_rng(1), config=FEW)


def test_a_task_of_which_nothing_is_known_has_no_row() -> None:
    """As histology in a cohort without reports; the others are judged all the same."""
    chances = state_chances(80, seed=34)
    even = np.full((80, 2), 0.5)
    table = table_of(chances).merge(table_of(even, task="histology"))
    held = HeldOut(table.iloc[:40], table.iloc[40:])
    truth = drawn_truth(chances, 35)
    assert set(fit_temperatures(held.validation, truth)["1", ""]) == {"state"}
    found = calibration_table({"net": held}, truth, np.random.default_rng(36), config=FEW)
    assert set(found["task"]) == {"state", "idh", "codeletion_1p19q", "grade"}
    assert len(found) == 8
    pairs = calibration_differences({"net": held}, truth, np.random.default_rng(36), config=FEW)
    assert "histology" not in set(pairs["task"])
    # Validation knows nothing at all: nothing is scaled, and the test is judged as predicted.
    unknown = truth_of(cohort_of_states([()] * 40 + [("GBM",)] * 40))
    bare = calibration_table({"net": held}, unknown, np.random.default_rng(37), config=FEW)
    assert set(bare["probabilities"]) == {AS_PREDICTED}


def test_an_interval_holds_its_estimate() -> None:
    """Resampling adds error to a calibration error near 0, and would leave it outside."""
    chances = state_chances(240, seed=25, concentration=1.0)
    truth = drawn_truth(chances, 26)
    named = {"calibrated": held_out(chances, 1.0)}
    table = calibration_table(named, truth, np.random.default_rng(27), config=FEW)
    for cell in table["ECE, equal width"]:
        low, high = cell.split("(")[1].rstrip(")").split(" to ")
        assert float(low) <= estimate(cell) <= float(high)


def test_nobody_decided_is_an_error() -> None:
    truth = truth_of(cohort_of_states([("A2", "A4")] * 3))
    given = answers(table_of(state_chances(3, seed=28)), truth, "state")
    with pytest.raises(ValueError, match="of nobody is state decided"):
        CalibrationScores.of(given)


def test_reliability_curves_are_drawn(tmp_path) -> None:  # type: ignore[no-untyped-def]
    chances = state_chances(300, seed=29)
    given = answers(table_of(powered(chances, 0.4)), drawn_truth(chances, 30), "state")
    bins = CalibrationScores.of(given).bins(equal_mass=False)
    assert sum(one.patients for one in bins) == 300
    assert bins[-1].predicted > bins[-1].observed
    probability_plot({"as predicted": bins}, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").stat().st_size > 5000


def test_all_tasks_can_be_calibrated() -> None:
    """The published heads as well, each with a temperature of its own."""
    draw = np.random.default_rng(31)
    truth = drawn_truth(state_chances(40, seed=32), 33)
    for task in ("idh", "codeletion_1p19q", "grade"):
        table = table_of(draw.dirichlet(np.ones(len(CLASSES[task])), 40), task=task)
        assert set(fit_temperatures(table, truth)["1", ""]) == {task}
