"""The joint diagnosis without a network, on made-up patients."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import check_grad

from gliomaai_training.diagnosis.covariates import whole_tumour_covariates
from gliomaai_training.diagnosis.fit_joint_model import (
    JointFitConfig,
    ModelCard,
    certainty_rules,
    fit_joint_model,
    fit_temperature,
)
from gliomaai_training.diagnosis.joint_model import (
    INDETERMINATE,
    QUESTIONS,
    CertaintyRule,
    JointModel,
    JointModels,
    read_joint_models,
    softmax,
    write_joint_models,
)
from gliomaai_training.diagnosis.partial_likelihood import (
    Coefficients,
    LabelledRows,
    Problem,
    fit,
    log_loss,
    stratified_folds,
)
from gliomaai_training.diagnosis.states import WHO_STATES, label_rows, marginals
from gliomaai_training.survival.terms import MissingCovariateError

CENTRES = {"GBM": 63.0, "A2": 36.0, "A3": 38.0, "A4": 42.0, "O2": 44.0, "O3": 48.0}
SHARES = (0.5, 0.14, 0.12, 0.08, 0.08, 0.08)
QUICK = (1e-2,)


def made_up(count: int, seed: int, cohort: str = "A") -> pd.DataFrame:
    """Patients whose age and tumour volume depend on their state."""
    generator = np.random.default_rng(seed)
    states = generator.choice(WHO_STATES, count, p=SHARES)
    age = np.array([CENTRES[state] for state in states]) + generator.normal(0, 7, count)
    volume = np.exp(generator.normal(4.0, 0.5, count) + 0.4 * np.isin(states, ("O2", "O3")))
    return pd.DataFrame(
        {
            "cohort": cohort,
            "possible_states": states,
            "age_years": age.clip(18, 90),
            "sex": generator.choice(["F", "M"], count),
            "wt_ml": volume,
        }
    )


def config(*covariates: str, penalties: tuple[float, ...] = QUICK) -> JointFitConfig:
    return JointFitConfig(covariates, penalties, folds=3)


@pytest.fixture(scope="module")
def model() -> JointModel:
    return fit_joint_model(
        made_up(300, 1), config("age_years", "sex", "wt_ml"), ModelCard("m", "A")
    )


def rows_of(count: int, seed: int) -> LabelledRows:
    generator = np.random.default_rng(seed)
    allowed = generator.random((count, 6)) < 0.4
    allowed[np.arange(count), generator.integers(6, size=count)] = True
    group = generator.integers(2, size=count)
    return LabelledRows(generator.normal(size=(count, 3)), allowed, group)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    generator = np.random.default_rng(3)
    problem = Problem(rows_of(40, 2), 0.1, 2, generator.normal(size=(3, 6)))
    vector = generator.normal(size=6 + 6 + 18)
    error = check_grad(
        lambda v: problem.value_and_gradient(v)[0],
        lambda v: problem.value_and_gradient(v)[1],
        vector,
    )
    assert error < 1e-5


def test_packing_is_undone_by_unpacking() -> None:
    generator = np.random.default_rng(3)
    given = Coefficients(
        generator.normal(size=6), generator.normal(size=(1, 6)), generator.normal(size=(3, 6))
    )
    problem = Problem(rows_of(10, 2), 0.1, 2, np.zeros((3, 6)))
    back = problem.unpack(problem.pack(given))
    np.testing.assert_array_equal(back.slopes, given.slopes)
    np.testing.assert_array_equal(back.offsets, given.offsets)


def test_full_labels_give_scikit_learns_multinomial_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(5)
    columns = generator.normal(size=(200, 2))
    truth = (columns @ generator.normal(size=(2, 6)) + generator.gumbel(size=(200, 6))).argmax(1)
    rows = LabelledRows(columns, np.eye(6, dtype=bool)[truth], np.zeros(200, int))
    own = fit(rows, penalty=0.05)
    theirs = LogisticRegression(C=1 / (0.05 * 200), max_iter=5000, tol=1e-10).fit(columns, truth)
    np.testing.assert_allclose(softmax(own.logits(rows)), theirs.predict_proba(columns), atol=1e-4)


def test_a_label_that_says_nothing_changes_nothing() -> None:
    """Log of the sum over all states is 0, whatever the model says."""
    logits = np.random.default_rng(1).normal(size=(4, 6))
    assert log_loss(logits, np.ones((4, 6), bool)) == pytest.approx(0.0, abs=1e-12)


def test_partial_labels_teach() -> None:
    """Known only to be IDH-mutant, patients still move the model's IDH."""
    table = made_up(300, 4)
    known = table["possible_states"] == "GBM"
    partial = table.copy()
    partial.loc[~known, "possible_states"] = "A2 A3 A4 O2 O3"
    found = fit_joint_model(partial, config("age_years"), ModelCard("m", "A"))
    mutant = found.marginals(pd.DataFrame({"age_years": [30.0, 70.0]})).idh_mutant
    assert mutant[0] > 0.8
    assert mutant[1] < 0.3
    assert found.states["GBM"] == known.sum()
    assert sum(found.states.values()) == known.sum()


def test_every_answer_is_coherent(model: JointModel) -> None:
    table = made_up(500, 9)
    told = model.marginals(table)
    assert (told.codeleted <= told.idh_mutant + 1e-12).all()
    assert (told.codeleted + told.grade[:, 2] <= 1 + 1e-12).all()
    np.testing.assert_allclose(model.probabilities(table).sum(axis=1), 1.0)


def test_another_cohorts_mix_of_diagnoses_does_not_enter_the_intercepts() -> None:
    reference = made_up(300, 1, "A")
    other = made_up(600, 2, "B")
    selected = other[other["possible_states"] != "GBM"]
    both = pd.concat([reference, selected], ignore_index=True)
    alone = fit_joint_model(reference, config("age_years"), ModelCard("m", "A"))
    joined = fit_joint_model(both, config("age_years"), ModelCard("m", "A and B"))
    assert joined.case_mix == "A"
    mean = joined.probabilities(reference)[:, 0].mean()
    assert mean == pytest.approx(alone.probabilities(reference)[:, 0].mean(), abs=0.02)


def test_a_prior_holds_what_few_patients_cannot_tell() -> None:
    prior = fit_joint_model(made_up(400, 1), config("age_years"), ModelCard("m", "A"))
    few = made_up(40, 2)
    strong = config("age_years", "wt_ml", penalties=(100.0,))
    found = fit_joint_model(few, strong, ModelCard("more", "B"), prior)
    np.testing.assert_allclose(found.coefficients[0], prior.coefficients[0], atol=0.05)
    np.testing.assert_allclose(found.coefficients[1], 0.0, atol=0.05)


def test_a_model_comes_back_from_its_file(model: JointModel, tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    write_joint_models(JointModels((model,)), file)
    back = read_joint_models(file).models[0]
    table = made_up(20, 7)
    np.testing.assert_array_equal(back.probabilities(table), model.probabilities(table))
    assert back.document() == model.document()
    assert back.rules == model.rules


def test_a_prediction_needs_numpy_only(model: JointModel, tmp_path: Path) -> None:
    """The clinic has neither scikit-learn nor lifelines; scipy and pandas are not touched."""
    file = tmp_path / "models.json"
    write_joint_models(JointModels((model,)), file)
    program = (
        "import sys; from pathlib import Path;"
        "from gliomaai_training.diagnosis.joint_model import read_joint_models;"
        f"model = read_joint_models(Path({str(file)!r})).models[0];"
        "model.diagnose({'age_years': 50.0, 'sex': 'F', 'wt_ml': 40.0});"
        "heavy = {'sklearn', 'lifelines', 'scipy', 'pandas', 'torch', 'matplotlib'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "something"}, "not 'something'"),
        ({"version": 99}, "version 99"),
        ({"order": ["GBM"]}, "the states are"),
        ({"temperature": 0.0}, "temperature of 0.0"),
        ({"coefficients": [[1.0]]}, "do not fit"),
        ({"states": 3}, "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(
    model: JointModel, change: dict[str, object], message: str
) -> None:
    document = json.loads(json.dumps(model.document())) | change
    with pytest.raises(ValueError, match=message):
        JointModel.from_document(document)


@pytest.mark.parametrize("text", ["{", "{}"])
def test_what_is_no_list_of_models_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"models\.json"):
        read_joint_models(file)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"age_years": 400.0, "sex": "F", "wt_ml": 30.0}, "age of 400 years is not possible"),
        ({"age_years": 40.0, "sex": "F", "wt_ml": -1.0}, "whole tumour of -1 mL"),
        ({"age_years": 40.0, "sex": "x", "wt_ml": 30.0}, "'x' was never seen"),
        ({"age_years": "old", "sex": "F", "wt_ml": 30.0}, "age must be a number"),
    ],
)
def test_impossible_values_are_refused(
    model: JointModel, facts: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        model.diagnose(facts)  # type: ignore[arg-type]


def test_what_is_unknown_is_named(model: JointModel) -> None:
    with pytest.raises(MissingCovariateError, match="m needs whole tumour"):
        model.diagnose({"age_years": 40.0, "sex": "F"})


def test_values_that_the_model_has_not_seen_are_flagged(model: JointModel) -> None:
    told = model.diagnose({"age_years": 2.0, "sex": "F", "wt_ml": 1500.0})
    assert told.extrapolated == ("age", "whole tumour")
    assert model.diagnose({"age_years": 50.0, "sex": "F", "wt_ml": 50.0}).extrapolated == ()


def test_answers_agree_with_the_probabilities(model: JointModel) -> None:
    told = model.diagnose({"age_years": 75.0, "sex": "M", "wt_ml": 40.0})
    assert told.answers["idh"].likeliest == "wild-type"
    assert told.answers["idh"].probability == pytest.approx(1 - told.idh_mutant)
    assert sum(told.grade.values()) == pytest.approx(1.0)
    assert told.answers["state"].value in ("GBM", INDETERMINATE)


def only_glioblastoma(threshold: float | None) -> CertaintyRule:
    return CertaintyRule("state", 0.9, dict.fromkeys(WHO_STATES) | {"GBM": threshold})


def test_an_answer_is_given_from_its_threshold_on() -> None:
    assert only_glioblastoma(0.7).is_sure("GBM", 0.7)
    assert not only_glioblastoma(0.7).is_sure("GBM", 0.69)
    assert not only_glioblastoma(0.7).is_sure("A2", 0.99)
    assert not only_glioblastoma(None).is_sure("GBM", 1.0)


@pytest.mark.parametrize(
    ("question", "thresholds", "message"),
    [
        ("colour", {}, "'colour' is none of"),
        ("idh", {"mutant": 0.5}, "a threshold for each"),
        ("idh", {"mutant": 0.5, "wild-type": 1.5}, "1.5 is no probability"),
    ],
)
def test_a_wrong_rule_is_refused(
    question: str, thresholds: dict[str, float | None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CertaintyRule(question, 0.9, thresholds)


def glioblastoma_or_not(right: NDArray[np.bool_], sureness: NDArray[np.float64]) -> float | None:
    """The threshold of GBM when it is always likeliest, and right in these patients."""
    chances = np.zeros((right.size, 6))
    chances[:, 0] = sureness
    chances[:, 1] = 1 - sureness
    possible = [("GBM",) if one else ("A2",) for one in right]
    (rule,) = certainty_rules(chances, label_rows(possible), {"state": 0.9})
    return rule.thresholds["GBM"]


def test_the_threshold_reaches_the_stated_accuracy() -> None:
    sureness = np.linspace(0.99, 0.6, 100)
    right = np.ones(100, bool)
    right[50:] = False
    threshold = glioblastoma_or_not(right, sureness)
    assert threshold is not None
    above = sureness >= threshold
    assert right[above].mean() >= 0.9
    # One more answer would have brought the share, with one error in reserve, below it.
    assert above.sum() == 54


def test_an_answer_that_is_never_right_often_enough_is_never_given() -> None:
    right = np.arange(100) % 2 == 0
    assert glioblastoma_or_not(right, np.linspace(0.99, 0.6, 100)) is None
    assert glioblastoma_or_not(np.ones(9, bool), np.linspace(0.99, 0.6, 9)) is None


def test_temperature_undoes_exaggeration() -> None:
    generator = np.random.default_rng(8)
    logits = generator.normal(size=(4000, 6))
    truth = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    found = fit_temperature(3.0 * logits, np.eye(6, dtype=bool)[truth])
    assert found == pytest.approx(3.0, rel=0.1)


def test_permuted_diagnoses_teach_nothing() -> None:
    from gliomaai_training.evaluation.auc import auc

    generator = np.random.default_rng(2)
    areas = []
    for seed in range(6):
        table = made_up(200, seed)
        table["possible_states"] = generator.permutation(table["possible_states"])
        train, test = table[:120], table[120:]
        found = fit_joint_model(train, config("age_years", "wt_ml"), ModelCard("m", "A"))
        mutant = (test["possible_states"] != "GBM").to_numpy()
        areas.append(auc(found.marginals(test).idh_mutant, mutant))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:20], "20 patients are too few"),
        (lambda t: t.assign(possible_states="GBM"), "same diagnosis"),
        (lambda t: t.assign(age_years=50.0), "age is the same for everyone"),
        (lambda t: t.assign(age_years=400.0), "age of 400 years is not possible"),
        (lambda t: t.drop(columns="age_years"), "the table lacks age_years"),
        (lambda t: t.assign(possible_states="XYZ"), "states are some of"),
        (lambda t: t.assign(age_years=t["age_years"].where(t.index > 0)), "needs age"),
    ],
)
def test_a_table_that_cannot_be_fitted_is_refused(change: object, message: str) -> None:
    table = change(made_up(100, 1))  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        fit_joint_model(table, config("age_years"), ModelCard("m", "A"))


def test_unknown_covariates_and_lost_ones_are_refused(model: JointModel) -> None:
    table = made_up(100, 1).assign(colour=1.0)
    with pytest.raises(ValueError, match="'colour' is none of"):
        fit_joint_model(table, config("colour"), ModelCard("m", "A"))
    with pytest.raises(ValueError, match="knows sex, wt_ml"):
        fit_joint_model(table, config("age_years"), ModelCard("m", "A"), model)


@pytest.mark.parametrize("penalty", [0.0, -1.0])
def test_a_penalty_must_be_positive(penalty: float) -> None:
    with pytest.raises(ValueError, match="penalty must be positive"):
        fit(rows_of(10, 1), penalty, groups=2)


def test_rows_that_do_not_fit_are_refused() -> None:
    rows = rows_of(5, 1)
    with pytest.raises(ValueError, match="not of the same patients"):
        LabelledRows(rows.design, rows.allowed[:3], rows.group)
    with pytest.raises(ValueError, match="at least one possible state"):
        LabelledRows(rows.design, np.zeros((5, 6), bool), rows.group)
    with pytest.raises(ValueError, match="not finite"):
        LabelledRows(rows.design * np.nan, rows.allowed, rows.group)
    with pytest.raises(ValueError, match="groups count from 0"):
        fit(rows, 0.1, groups=1)


def test_folds_spread_every_label() -> None:
    labels = ["a"] * 20 + ["b"] * 10
    fold = stratified_folds(labels, 5, np.random.default_rng(1))
    counts = [(np.array(labels)[fold == k] == "a").sum() for k in range(5)]
    assert counts == [4] * 5
    assert set(np.bincount(fold)) == {6}


def test_folds_need_patients() -> None:
    with pytest.raises(ValueError, match="3 patients cannot be dealt into 5"):
        stratified_folds(["a"] * 3, 5, np.random.default_rng(1))


def test_measures_of_the_whole_tumour_are_in_the_clinics_units() -> None:
    shape = {
        "VoxelVolume": 50_000.0,
        "MajorAxisLength": 61.0,
        "Elongation": 0.8,
        "Flatness": 0.6,
        "Sphericity": 0.5,
    }
    assert whole_tumour_covariates(shape) == {
        "wt_ml": 50.0,
        "wt_major_axis_mm": 61.0,
        "wt_elongation": 0.8,
        "wt_flatness": 0.6,
    }
    with pytest.raises(ValueError, match="lacks Flatness"):
        whole_tumour_covariates({key: v for key, v in shape.items() if key != "Flatness"})


def test_questions_say_what_the_states_say() -> None:
    told = marginals(np.eye(6))
    assert [value == "mutant" for value in QUESTIONS["idh"]] == list(told.idh_mutant == 1)
    assert [value == "co-deleted" for value in QUESTIONS["codeletion_1p19q"]] == list(
        told.codeleted == 1
    )
