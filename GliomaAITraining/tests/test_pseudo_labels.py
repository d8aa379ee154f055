"""Pseudo-labels: sure ones, so many of each class, and never of who is held out or labelled."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multitask_makers import TINY
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES, PatientTargets, unknown_targets
from gliomaai_training.diagnosis.states import LABELS, WHO_STATES
from gliomaai_training.inference.monte_carlo import MonteCarloConfig, monte_carlo
from gliomaai_training.inference.uncertainty import TaskSamples
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.training.pseudo_label_selection import class_quotas, select_pseudo_labels
from gliomaai_training.training.pseudo_labels import (
    COLUMNS,
    PseudoLabel,
    PseudoLabels,
    PseudoLabelScope,
    check_pseudo_labels,
    pseudo_label_scope,
    pseudo_label_table,
    read_pseudo_labels,
    taught,
    write_pseudo_labels,
)
from gliomaai_training.training.student_config import (
    SelectionConfig,
)

LOOSE = SelectionConfig(least_quota=1000, most_per_class=1000)
Floats = NDArray[np.float64]


def cases_of(count: int) -> list[tuple[str, str]]:
    """One scan for each patient."""
    return [(f"scan-{n}", f"P{n}") for n in range(count)]


def known(task: str, *names: str) -> PatientTargets:
    """Of whom the class of one task is one of these, and nothing else is known."""
    unknown = unknown_targets()
    rows = np.array([name in names for name in CLASSES[task]])
    return PatientTargets({**unknown.possible, task: rows}, unknown.months, unknown.event)


def scope(
    count: int, held_out: tuple[str, ...] = ("T0", "T1"), **labelled: PatientTargets
) -> PseudoLabelScope:
    """Training patients of whom nothing is known but what is given by case number (`n3=...`)."""
    training = dict(cases_of(count))
    targets = {case: unknown_targets() for case in training}
    targets |= {f"scan-{name[1:]}": found for name, found in labelled.items()}
    return pseudo_label_scope(training, held_out, targets)


def label(number: int = 0, *possible: str, task: str = "state") -> PseudoLabel:
    return PseudoLabel(f"scan-{number}", f"P{number}", task, possible or ("GBM",), 0.95, 0.01, 1)


def looks(means: Floats, spread: float = 0.0, count: int = 6, task: str = "state") -> TaskSamples:
    """So many looks about mean probabilities (n, k), every other one moved towards evenness."""
    even = np.full_like(means, 1 / means.shape[1])
    parts = [means + (spread if look % 2 else 0.0) * (even - means) for look in range(count)]
    return TaskSamples({task: np.stack(parts)})


def states(*rows: dict[str, float]) -> Floats:
    """Probabilities by name; what is missing to 1 is spread over the others."""
    found = np.zeros((len(rows), len(LABELS)))
    for number, row in enumerate(rows):
        rest = (1 - sum(row.values())) / (len(LABELS) - len(row))
        found[number] = [row.get(name, rest) for name in LABELS]
    return found


# The acceptance test: pseudo-labels and held-out patients have nobody in common.


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(0, 12), st.booleans())
def test_no_pseudo_label_is_of_a_held_out_or_labelled_patient(
    seed: int, count: int, labelled: int, apart: bool
) -> None:
    draw = np.random.default_rng(seed)
    who = draw.permutation(count)[: min(labelled, count)]
    task = "idh" if apart else "state"
    held_out = tuple(f"T{n}" for n in range(5))
    allowed = scope(count, held_out, **{f"n{n}": known(task, CLASSES[task][0]) for n in who})
    samples = looks(draw.dirichlet(np.full(len(CLASSES[task]), 0.05), count), task=task)
    found = select_pseudo_labels(samples, cases_of(count), allowed, LOOSE)
    assert not found.patients & set(held_out)
    assert not found.patients & {f"P{n}" for n in who}
    assert found.patients <= {f"P{n}" for n in range(count)}
    check_pseudo_labels(found, allowed)


def test_a_planted_test_patient_is_found(tmp_path: Path) -> None:
    """When labels are selected, checked, written and read, and whatever the scan's name."""
    allowed = scope(3)
    planted = PseudoLabels((label(0), PseudoLabel("scan-9", "T1", "state", ("A2",), 0.9, 0.0, 1)))
    with pytest.raises(ValueError, match="1 pseudo-labelled patients are held out"):
        check_pseudo_labels(planted, allowed)
    file = tmp_path / "pseudo.csv"
    with pytest.raises(ValueError, match="held out"):
        write_pseudo_labels(planted, file, allowed)
    assert not file.exists()
    write_pseudo_labels(PseudoLabels((label(0),)), file, allowed)
    with file.open("a", encoding="utf-8") as stream:
        stream.write("scan-1,T0,state,GBM,0.95,0.01,1\n")
    with pytest.raises(ValueError, match="1 pseudo-labelled patients are held out"):
        read_pseudo_labels(file, allowed)
    samples = looks(states({"GBM": 0.99}))
    with pytest.raises(ValueError, match="1 of 1 cases are not of training patients"):
        select_pseudo_labels(samples, [("scan-9", "T0")], allowed, LOOSE)


def test_a_table_of_another_split_is_refused(tmp_path: Path) -> None:
    """Folds change, files stay: who was a training patient then is a test patient now."""
    file = tmp_path / "pseudo.csv"
    write_pseudo_labels(PseudoLabels((label(2),)), file, scope(3))
    now = pseudo_label_scope(
        dict(cases_of(2)), ["P2"], {case: unknown_targets() for case, _ in cases_of(2)}
    )
    with pytest.raises(ValueError, match="held out"):
        read_pseudo_labels(file, now)


def test_a_held_out_scan_under_a_training_patient_s_name_is_found() -> None:
    disguised = PseudoLabels((PseudoLabel("test-scan", "P0", "state", ("GBM",), 0.95, 0.0, 1),))
    with pytest.raises(ValueError, match="1 pseudo-labels are not of these training cases"):
        check_pseudo_labels(disguised, scope(2))
    swapped = PseudoLabels((PseudoLabel("scan-0", "P1", "state", ("GBM",), 0.95, 0.0, 1),))
    with pytest.raises(ValueError, match="not of these training cases and patients"):
        check_pseudo_labels(swapped, scope(2))


def test_one_person_under_two_names_is_on_one_side() -> None:
    training = dict(cases_of(2))
    targets = {case: unknown_targets() for case in training}
    with pytest.raises(ValueError, match="1 patients are in training and held out at once"):
        pseudo_label_scope(training, ["TCGA-0"], targets, {"P0": "one", "TCGA-0": "one"})
    with pytest.raises(ValueError, match="1 patients are in training and held out"):
        pseudo_label_scope(training, ["P1"], targets)


def test_a_second_scan_of_a_labelled_patient_gets_no_label() -> None:
    training = {"scan-0": "P0", "scan-0b": "P0", "scan-1": "P1"}
    targets = {case: unknown_targets() for case in training} | {"scan-0": known("state", "GBM")}
    allowed = pseudo_label_scope(training, ["T0"], targets)
    samples = looks(states({"GBM": 0.99}, {"GBM": 0.99}))
    cases = [("scan-0b", "P0"), ("scan-1", "P1")]
    found = select_pseudo_labels(samples, cases, allowed, LOOSE)
    assert [one.case for one in found.labels] == ["scan-1"]
    twice = PseudoLabels((PseudoLabel("scan-0b", "P0", "state", ("GBM",), 0.95, 0.0, 1),))
    with pytest.raises(ValueError, match="1 pseudo-labels are of patients whose label is known"):
        check_pseudo_labels(twice, allowed)
    other = PseudoLabels(
        (PseudoLabel("scan-0b", "P0", "histology", CLASSES["histology"][1:], 0.95, 0.0, 1),)
    )
    check_pseudo_labels(other, allowed)


# What is selected.


def test_confidence_and_spread_must_both_keep_to_their_limits() -> None:
    means = states({"GBM": 0.95}, {"GBM": 0.85}, {"A2": 0.97})
    config = LOOSE.model_copy(update={"sets_of_states": False})
    calm = select_pseudo_labels(looks(means), cases_of(3), scope(3), config)
    assert [(one.case, one.possible) for one in calm.labels] == [
        ("scan-0", ("GBM",)),
        ("scan-2", ("A2",)),
    ]
    assert calm.labels[0].confidence == pytest.approx(0.95)
    assert calm.labels[0].deviation == pytest.approx(0.0)
    uneasy = select_pseudo_labels(looks(means, spread=0.12), cases_of(3), scope(3), config)
    assert uneasy.labels == ()
    strict = SelectionConfig(confidence=0.96, deviation=0.05, sets_of_states=False)
    assert len(select_pseudo_labels(looks(means), cases_of(3), scope(3), strict)) == 1


def test_where_only_a_fact_is_certain_the_label_is_every_state_that_has_it() -> None:
    means = states(
        {"A2": 0.32, "A3": 0.32, "O2": 0.32},
        {"A3": 0.5, "A4": 0.46},
        {"O2": 0.5, "O3": 0.47},
        {"A2": 0.5, "O2": 0.47},
        {"GBM": 0.5, "A2": 0.45},
        {"GBM": 0.5, "NEC": 0.48},
        {"A3": 0.93, "A4": 0.06},
    )
    found = select_pseudo_labels(looks(means), cases_of(7), scope(7), LOOSE)
    assert {one.case: one.possible for one in found.labels} == {
        "scan-0": ("A2", "A3", "A4", "O2", "O3"),
        "scan-1": ("A2", "A3", "A4"),
        "scan-2": ("O2", "O3"),
        "scan-3": ("A2", "O2"),
        "scan-4": ("GBM", "A2", "A3", "A4", "NEC"),
        "scan-5": ("GBM", "NEC"),
        "scan-6": ("A3",),
    }
    by_case = {one.case: one for one in found.labels}
    assert by_case["scan-2"].confidence == pytest.approx(0.97)


def test_a_certain_fact_may_hide_two_restless_states() -> None:
    """Looks that differ on the grade but not on IDH teach IDH."""
    one, two = states({"A2": 0.9, "A3": 0.08})[0], states({"A2": 0.08, "A3": 0.9})[0]
    samples = TaskSamples({"state": np.stack([one, two] * 3)[:, None]})
    found = select_pseudo_labels(samples, cases_of(1), scope(1), LOOSE)
    assert found.labels[0].possible == ("A2", "A3", "A4")
    alone = LOOSE.model_copy(update={"sets_of_states": False})
    assert select_pseudo_labels(samples, cases_of(1), scope(1), alone).labels == ()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.2]), st.sampled_from(["state", "grade"]))
def test_whatever_is_selected_is_certain_and_narrow(
    seed: int, concentration: float, task: str
) -> None:
    draw = np.random.default_rng(seed)
    k = len(CLASSES[task])
    centre = draw.dirichlet(np.full(k, concentration), 25)
    noisy = 0.97 * centre + 0.03 * draw.dirichlet(np.ones(k), (5, 25))
    config = SelectionConfig(confidence=0.9, deviation=0.02, least_quota=1000, most_per_class=1000)
    found = select_pseudo_labels(TaskSamples({task: noisy}), cases_of(25), scope(25), config)
    for one in found.labels:
        of_set = noisy[:, int(one.patient[1:])][:, one.rows].sum(axis=1)
        assert one.confidence == pytest.approx(of_set.mean())
        assert one.confidence >= 0.9
        assert one.deviation == pytest.approx(of_set.std(ddof=1))
        assert one.deviation < 0.02
    # Nobody with a certain single class is left without it.
    mean, deviation = noisy.mean(axis=0), noisy.std(axis=0, ddof=1)
    single = ((mean >= 0.9) & (deviation < 0.02)).any(axis=1)
    exact = {one.patient for one in found.labels if len(one.possible) == 1}
    assert exact == {f"P{n}" for n in np.flatnonzero(single)}


def test_of_each_class_the_surest_up_to_the_quota() -> None:
    rows = [{"GBM": 0.91 + 0.001 * n} for n in range(60)] + [{"A2": 0.95}] * 4
    config = SelectionConfig(most_per_class=50, least_quota=10)
    samples = looks(states(*rows))
    found = select_pseudo_labels(samples, cases_of(64), scope(64), config)
    of_gbm = [one for one in found.labels if one.possible == ("GBM",)]
    assert len(of_gbm) == 10
    assert {one.patient for one in of_gbm} == {f"P{n}" for n in range(50, 60)}
    assert len(found) == 14


def test_a_narrow_label_goes_before_a_wide_one() -> None:
    """A set is surer than each of its states, and would crowd out what says more."""
    rows = [{"A2": 0.92}, {"A2": 0.93}, {"A2": 0.5, "A3": 0.49}]
    config = SelectionConfig(most_per_class=2)
    found = select_pseudo_labels(looks(states(*rows)), cases_of(3), scope(3), config)
    assert [one.possible for one in found.labels] == [("A2",), ("A2",)]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(0, 300), min_size=2, max_size=7),
    st.integers(1, 200),
    st.integers(1, 50),
)
def test_quotas(candidates: list[int], most: int, least: int) -> None:
    equal = SelectionConfig(most_per_class=most, least_quota=least)
    labelled = [3 * n + 1 for n in range(len(candidates))]
    quotas = class_quotas(candidates, labelled, equal)
    assert len(set(quotas)) == 1
    rarest = min((n for n in candidates if n), default=0)
    assert quotas[0] == min(most, max(least, rarest))
    share = equal.model_copy(update={"balance": "proportional"})
    shared = class_quotas(candidates, labelled, share)
    assert max(shared) == quotas[0]
    for quota, count in zip(shared, labelled, strict=True):
        assert 0 <= quota - quotas[0] * count / max(labelled) < 1
    assert class_quotas(candidates, [0] * len(candidates), share) == quotas


def test_proportional_quotas_follow_the_labelled_training_patients() -> None:
    rows = [{"GBM": 0.95}] * 30 + [{"A2": 0.95}] * 30
    given_labels = {f"n{60 + n}": known("state", "GBM" if n < 3 else "A2") for n in range(4)}
    allowed = scope(64, **given_labels)
    assert allowed.counts["state"][:2] == (3, 1)
    config = SelectionConfig(most_per_class=12, balance="proportional")
    samples = looks(states(*rows))
    found = select_pseudo_labels(samples, cases_of(60), allowed, config)
    counts = {name: sum(one.possible == (name,) for one in found.labels) for name in ("GBM", "A2")}
    assert counts == {"GBM": 12, "A2": 4}


def test_scans_of_one_patient_that_contradict_each_other_are_both_left_out() -> None:
    training = {"a": "P0", "b": "P0", "c": "P1", "d": "P1"}
    allowed = pseudo_label_scope(training, [], {case: unknown_targets() for case in training})
    samples = looks(states({"GBM": 0.95}, {"A2": 0.95}, {"A2": 0.5, "A3": 0.49}, {"A2": 0.96}))
    found = select_pseudo_labels(samples, list(training.items()), allowed, LOOSE)
    assert {one.case: one.possible for one in found.labels} == {
        "c": ("A2", "A3", "A4"),
        "d": ("A2",),
    }


def test_heads_of_their_own_are_labelled_each_by_itself() -> None:
    idh = np.array([[0.02, 0.98], [0.5, 0.5]])
    grade = np.array([[0.4, 0.4, 0.2], [0.0, 0.05, 0.95]])
    samples = TaskSamples({"idh": np.stack([idh] * 3), "grade": np.stack([grade] * 3)})
    allowed = scope(2, n1=known("idh", "mutant"))
    found = select_pseudo_labels(samples, cases_of(2), allowed, LOOSE, 2)
    assert [(one.case, one.task, one.possible, one.round_number) for one in found.labels] == [
        ("scan-1", "grade", ("4",), 2),
        ("scan-0", "idh", ("mutant",), 2),
    ]


def test_selection_needs_looks_that_can_differ_and_a_case_for_each() -> None:
    one = TaskSamples({"state": states({"GBM": 0.95})[None]})
    with pytest.raises(ValueError, match="at least two looks, not 1"):
        select_pseudo_labels(one, cases_of(1), scope(1), LOOSE)
    with pytest.raises(ValueError, match="2 cases for samples of 1"):
        select_pseudo_labels(one, cases_of(2), scope(2), LOOSE)


def test_selection_does_not_depend_on_the_order_of_the_cases() -> None:
    draw = np.random.default_rng(1)
    means = draw.dirichlet(np.full(7, 0.05), 40)
    config = SelectionConfig(most_per_class=3, least_quota=1)
    found = select_pseudo_labels(looks(means), cases_of(40), scope(40), config)
    order = draw.permutation(40)
    cases = [cases_of(40)[n] for n in order]
    assert (
        found.labels == select_pseudo_labels(looks(means[order]), cases, scope(40), config).labels
    )
    assert len(found) > 5


def test_from_a_network_to_targets(tmp_path: Path) -> None:
    """The whole way of a round: looks of a teacher, labels, their table, what a student learns."""
    torch.manual_seed(0)
    network = build_network(
        {"architecture": "multitask", "segmentation": TINY, "tasks": ["state", "idh", "risk"]}
    )
    assert isinstance(network, MultiTaskNetwork)
    generator = torch.Generator().manual_seed(1)
    present = torch.ones(1, 4, dtype=torch.bool)
    config = MonteCarloConfig(passes=3, temperatures={"state": 1e-3, "idh": 1e-3})
    parts = [
        monte_carlo(
            network,
            [View(torch.randn(1, 4, 16, 16, 16, generator=generator), present)],
            config,
            generator,
        )
        for _ in range(4)
    ]
    allowed = scope(4, n0=known("state", "GBM"), n1=known("idh", "mutant"))
    limits = SelectionConfig(confidence=0.6, deviation=1.0)
    labels = select_pseudo_labels(TaskSamples.of_all_patients(parts), cases_of(4), allowed, limits)
    assert {one.task for one in labels.labels} == {"state", "idh"}
    write_pseudo_labels(labels, tmp_path / "labels.csv", allowed)
    again = read_pseudo_labels(tmp_path / "labels.csv", allowed)
    targets = {case: unknown_targets() for case, _ in cases_of(4)}
    targets |= {"scan-0": known("state", "GBM"), "scan-1": known("idh", "mutant")}
    found = taught(targets, again)
    assert (
        found["scan-0"].possible["state"].tolist() == targets["scan-0"].possible["state"].tolist()
    )
    for one in labels.labels:
        np.testing.assert_array_equal(found[one.case].possible[one.task], one.rows)


# Tables.


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    samples = looks(draw.dirichlet(np.full(7, 0.05), 30))
    found = select_pseudo_labels(samples, cases_of(30), scope(30), LOOSE)
    file = tmp_path / "run" / "pseudo.csv"
    write_pseudo_labels(found, file, scope(30))
    assert file.read_text("utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert read_pseudo_labels(file, scope(30)) == found
    assert list(file.parent.iterdir()) == [file]


def test_a_teacher_who_is_sure_of_nobody_has_a_table_too(tmp_path: Path) -> None:
    file = tmp_path / "pseudo.csv"
    write_pseudo_labels(PseudoLabels(()), file, scope(2))
    assert read_pseudo_labels(file, scope(2)) == PseudoLabels(())
    assert pseudo_label_table(PseudoLabels(())).empty


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("scan-0,P0,state,GBM;,0.95,0.01,1", "cannot be labelled"),
        ("scan-0,P0,state,A3;A2,0.95,0.01,1", "cannot be labelled"),
        ("scan-0,P0,mgmt,methylated,0.95,0.01,1", "mgmt cannot be labelled"),
        ("scan-0,P0,idh,wild-type;mutant,0.95,0.01,1", "cannot be labelled"),
        ("scan-0,P0,state,GBM,sure,0.01,1", "'sure' is no number"),
        ("scan-0,P0,state,GBM,0.95,0.01,3", "round"),
        ("scan-0,P0,state,GBM,0.95,0.01,1.5", "round 1.5"),
        ("scan-0,P0,state,GBM,0.95,0.01,", "round nan"),
        ("scan-0,P0,state,GBM,,0.01,1", "confidence"),
    ],
)
def test_what_is_no_label_is_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "pseudo.csv"
    file.write_text(",".join(COLUMNS) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_pseudo_labels(file, scope(2))


def test_a_file_that_is_not_there_or_lacks_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no table of pseudo-labels"):
        read_pseudo_labels(tmp_path / "none.csv", scope(1))
    file = tmp_path / "pseudo.csv"
    file.write_text("case,patient\na,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the columns"):
        read_pseudo_labels(file, scope(1))


def test_two_labels_of_one_case_and_task_are_refused() -> None:
    with pytest.raises(ValueError, match="1 cases have two"):
        PseudoLabels((label(0), label(0, "A2")))


def test_the_counts_tell_how_many_are_true() -> None:
    labels = PseudoLabels((label(0), label(1), label(2), label(3, "O2", "O3"), label(4, "A2")))
    truth = {
        "scan-0": known("state", "GBM"),
        "scan-1": known("state", "A4"),
        "scan-2": known("state", "GBM", "NEC"),
        "scan-3": known("state", "O3"),
    }
    table = pseudo_label_table(labels, truth).set_index("label")
    assert table.loc["GBM", ["labels", "known", "true", "accuracy"]].tolist() == [3, 2, 1, "0.500"]
    assert table.loc["O2 or O3", ["known", "true", "accuracy"]].tolist() == [1, 1, "1.000"]
    assert table.loc["A2", ["labels", "known", "accuracy"]].tolist() == [1, 0, ""]
    assert "accuracy" not in pseudo_label_table(labels).columns


def test_taught_targets_have_the_labels_and_say_whose_word_they_are() -> None:
    targets = {case: unknown_targets() for case, _ in cases_of(2)} | {"other": known("state", "A2")}
    found = taught(targets, PseudoLabels((label(0, "O2", "O3"),)))
    chosen = {
        name for name, can in zip(LABELS, found["scan-0"].possible["state"], strict=True) if can
    }
    assert (chosen, found["scan-0"].pseudo) == ({"O2", "O3"}, {"state"})
    assert found["scan-0"].possible["idh"].all()
    assert found["scan-1"] is targets["scan-1"]
    assert targets["scan-0"].possible["state"].all()
    with pytest.raises(ValueError, match="whose state is known"):
        taught({"scan-0": known("state", "A2")}, PseudoLabels((label(0),)))
    with pytest.raises(ValueError, match="without targets"):
        taught({}, PseudoLabels((label(0),)))


def test_calibrated_teachers_are_as_right_as_they_are_sure() -> None:
    """Truth drawn from the probabilities: of labels from 0.9 on, nine in ten or more are true."""
    draw = np.random.default_rng(3)
    means = draw.dirichlet(np.full(6, 0.15), 600)
    full = np.concatenate([means, np.zeros((600, 1))], axis=1)
    truth = {
        case: known("state", WHO_STATES[draw.choice(6, p=row)])
        for (case, _), row in zip(cases_of(600), means, strict=True)
    }
    found = select_pseudo_labels(looks(full), cases_of(600), scope(600), LOOSE)
    table = pseudo_label_table(found, truth)
    assert table["true"].sum() / table["known"].sum() > 0.92
    assert len(found) > 300
