"""The table of predictions, its checks, and what is known of its patients."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clinical_makers import cohort_of
from task_makers import heads, made_up_patients, made_up_truth, predictions_of

from gliomaai_training.evaluation.tasks.predictions import (
    check_predictions,
    class_columns,
    read_predictions,
    runs_of,
)
from gliomaai_training.evaluation.tasks.truth import read_true_risk, truth_of

TRUTH = made_up_truth(12)


def two_runs() -> pd.DataFrame:
    parts = [predictions_of(TRUTH, ("state", "idh", "risk"), run=run) for run in ("1", "2")]
    return pd.concat(parts, ignore_index=True)


def test_runs_lie_side_by_side_whatever_the_order_of_the_rows() -> None:
    table = two_runs()
    shuffled = table.sample(frac=1.0, random_state=3)
    first, second = runs_of(table), runs_of(shuffled)
    assert first.runs == ("1", "2")
    assert first.cases == TRUTH.cases
    assert first.probabilities["state"].shape == (2, 12, 7)
    np.testing.assert_array_equal(first.probabilities["idh"], second.probabilities["idh"])
    row = table[(table["run"] == "2") & (table["case"] == "c005")].iloc[0]
    np.testing.assert_allclose(first.probabilities["idh"][1, 5, 1], row["idh:mutant"])
    assert first.risk is not None
    assert first.risk[1, 5] == row["risk"]


def test_a_head_that_is_absent_or_empty_is_none() -> None:
    table = two_runs().assign(risk=np.nan)
    assert runs_of(table).risk is None
    assert runs_of(table.drop(columns="risk")).risk is None
    table[class_columns("idh")] = np.nan
    assert set(runs_of(table).probabilities) == {"state"}


def test_who_is_predicted_in_full() -> None:
    table = two_runs()
    table.loc[(table["run"] == "2") & (table["case"] == "c003"), "risk"] = np.nan
    found = runs_of(table).predicted()
    assert found.sum() == 11
    assert not found[3]


def put(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        changed = table.copy()
        changed.loc[changed.index[0], column] = value
        return changed

    return change


WRONG = {
    "lack the columns run": lambda table: table.drop(columns="run"),
    "is empty": lambda table: table.iloc[:0],
    "a cell of case": put("patient", None),
    "are not written as": put("sequences", "t1gd+t1"),
    "1 rows repeat the case": lambda table: pd.concat([table, table.iloc[:1]]),
    "column 'idh:mutated' is no TASK:CLASS": lambda table: table.assign(**{"idh:mutated": 0.0}),
    "column 'mgmt:methylated' is no TASK:CLASS": lambda table: table.assign(
        **{"mgmt:methylated": 0.0}
    ),
    "lack the columns state:NEC": lambda table: table.drop(columns="state:NEC"),
    "is no probability of idh": put("idh:mutant", 1.2),
    "probabilities of idh sum to": put("idh:mutant", 0.999999),
    "1 rows have some probabilities of state": put("state:A2", np.nan),
    "a risk is infinite": put("risk", np.inf),
    "neither TASK:CLASS columns nor risk": lambda table: table[
        ["case", "patient", "run", "sequences"]
    ],
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_tables_are_refused(message: str) -> None:
    table = predictions_of(TRUTH, ("state", "idh", "risk"))
    table.loc[0, class_columns("idh")] = [0.5, 0.5]
    check_predictions(table)
    with pytest.raises(ValueError, match=message):
        check_predictions(WRONG[message](table))


def test_folds_that_pass_for_runs_are_refused() -> None:
    table = predictions_of(TRUTH)
    table["run"] = ["1"] * 6 + ["2"] * 6
    with pytest.raises(ValueError, match="the folds of one seed are one run"):
        runs_of(table)


def test_other_sequences_are_not_there() -> None:
    with pytest.raises(ValueError, match="nothing was predicted from t1gd"):
        runs_of(two_runs(), "t1gd")


def test_names_that_look_like_numbers_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    table = heads(["007", "010"], idh=["mutant", "wild-type"])
    table.to_csv(file, index=False)
    assert list(read_predictions(file)["case"]) == ["007", "010"]
    with pytest.raises(ValueError, match="no table of predictions"):
        read_predictions(tmp_path / "absent.csv")


def test_facts_follow_from_measurements_or_from_the_states() -> None:
    cohort = cohort_of(
        "made up",
        ["measured", "oligo", "either", "wild", "nothing", "lower"],
        idh=["mutant", None, None, "wild-type", None, None],
        possible_states=["A2 O2", "O2", "GBM A4", "GBM NEC", None, "A2 A3"],
        who_state=[None, "O2", None, None, None, None],
    )
    truth = truth_of(cohort)
    known, mutant = truth.fact("idh", ("mutant",))
    assert known.tolist() == [True, True, False, True, False, True]
    assert mutant[known].tolist() == [True, True, False, True]
    known, codeleted = truth.fact("codeletion_1p19q", ("co-deleted",))
    assert known.tolist() == [False, True, True, True, False, True]
    assert codeleted[known].tolist() == [True, False, False, False]
    known, four = truth.fact("grade", ("4",))
    assert known.tolist() == [True, True, True, False, False, True]
    assert four[known].tolist() == [False, False, True, False]
    known, state = truth.states()
    assert known.tolist() == [False, True, False, False, False, False]
    assert state[1] == 4


def test_facts_that_contradict_each_other_are_unknown() -> None:
    cohort = cohort_of("made up", ["one"], idh=["mutant"], possible_states=["GBM NEC"])
    known, _ = truth_of(cohort).fact("idh", ("mutant",))
    assert not known.any()


def test_a_predicted_case_must_be_in_the_cohort() -> None:
    with pytest.raises(ValueError, match="2 of the 3 predicted cases are not in the cohort"):
        TRUTH.take(["c001", "x", "y"])


def test_the_true_risk_comes_from_the_table_of_the_simulation(tmp_path: Path) -> None:
    file = tmp_path / "patients.csv"
    file.write_text("id,true_log_risk\na,0.5\nb,\nc,-1.25\n", "utf-8")
    assert read_true_risk(file) == {"a": 0.5, "c": -1.25}
    cohort, risks = made_up_patients(12)
    risks.pop("c004")
    truth = truth_of(cohort, risks)
    assert truth.true_log_risk is not None
    assert np.isnan(truth.true_log_risk[4])
    assert np.isfinite(truth.true_log_risk).sum() == 11
    with pytest.raises(ValueError, match="infinite"):
        truth_of(cohort, {"c000": float("inf")})


def test_two_patients_of_one_case_are_refused() -> None:
    cohort = cohort_of("made up", ["one", "two"], case=["same", "same"])
    with pytest.raises(ValueError, match="1 cases of made up share their name"):
        truth_of(cohort)
