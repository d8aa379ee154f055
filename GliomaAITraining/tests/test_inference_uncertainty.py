"""Dropout at inference and ensembles: what looks agree on, how far they differ, and in tables."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multitask_makers import TINY
from torch import Tensor, nn

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import FACTS, fact_probabilities
from gliomaai_training.diagnosis.states import LABELS, WHO_STATES, marginals
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, check_predictions, runs_of
from gliomaai_training.evaluation.tasks.uncertainty import (
    ENSEMBLE,
    MEASURES,
    ensemble_of_tables,
    uncertainty_table,
)
from gliomaai_training.inference.ensemble import RiskScale, ensemble, risk_scale
from gliomaai_training.inference.monte_carlo import (
    MonteCarloConfig,
    dropout_logits,
    evaluating,
    head_vector,
    mirrored,
    monte_carlo,
    monte_carlo_of_vectors,
)
from gliomaai_training.inference.uncertainty import TaskSamples, choice_uncertainty
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.multitask import MultiTaskNetwork, View

EVERYTHING = torch.ones(1, 4, dtype=torch.bool)
ALL_TASKS = ["state", "idh", "codeletion_1p19q", "grade", "histology", "risk"]


def network(seed: int = 0, **fields: object) -> MultiTaskNetwork:
    """A tiny one whose heads tell patients apart."""
    torch.manual_seed(seed)
    given = {"architecture": "multitask", "segmentation": TINY, "hidden_width": 8}
    built = build_network(given | {"tasks": ["state", "risk"], **fields})
    assert isinstance(built, MultiTaskNetwork)
    with torch.no_grad():
        for name, value in built.heads.named_parameters():
            if name.endswith("weight") and value.dim() == 2:
                value.mul_(3)
    return built.eval()


def view(patients: int = 1, seed: int = 1, size: int = 16) -> View:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(patients, 4, size, size, size, generator=generator)
    return View(images, EVERYTHING.expand(patients, 4))


def drawn(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made_up(looks: int, patients: int, seed: int = 0) -> TaskSamples:
    draw = np.random.default_rng(seed)
    return TaskSamples(
        {
            task: draw.dirichlet(np.ones(len(CLASSES[task])), (looks, patients))
            for task in ("state", "histology")
        },
        draw.normal(size=(looks, patients)),
    )


def test_dropout_lives_in_the_heads_alone_and_openly() -> None:
    """What `monte_carlo` relies on: it drops the layers of the heads itself, one by one."""
    net = network(tasks=ALL_TASKS, global_branch=True)
    everywhere = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    in_heads = [m for head in net.heads.values() for m in head.children()]
    assert len(everywhere) == 2 * len(ALL_TASKS)
    assert all(any(one is layer for layer in in_heads) for one in everywhere)


def test_looks_differ_with_dropout_and_come_from_the_generator() -> None:
    net = network(tasks=ALL_TASKS)
    config = MonteCarloConfig(passes=12)
    state = torch.random.get_rng_state()
    first = monte_carlo(net, [view(3)], config, drawn())
    again = monte_carlo(net, [view(3)], config, drawn())
    other = monte_carlo(net, [view(3)], config, drawn(6))
    assert torch.equal(state, torch.random.get_rng_state())
    assert (first.looks, first.patients) == (12, 3)
    for task, values in first.probabilities.items():
        np.testing.assert_array_equal(values, again.probabilities[task])
        assert not np.array_equal(values, other.probabilities[task])
    found = first.summary()
    assert all((one.chosen_deviation > 1e-3).all() for one in found.choices.values())
    assert all((one.information_bits > 1e-5).all() for one in found.choices.values())
    assert found.risk is not None
    assert (found.risk.deviation > 1e-3).all()


def test_without_dropout_all_looks_are_the_network_s_answer() -> None:
    net = network(tasks=ALL_TASKS, dropout=0.0)
    found = monte_carlo(net, [view(2)], MonteCarloConfig(passes=4), drawn()).summary()
    with torch.inference_mode():
        plain = net(view(2)).tasks
    for task in CLASSES:
        expected = torch.softmax(plain[task].double(), 1).numpy()
        np.testing.assert_allclose(found.choices[task].probabilities, expected, atol=1e-6)
        np.testing.assert_allclose(found.choices[task].deviation, 0, atol=1e-6)
        np.testing.assert_allclose(found.choices[task].information_bits, 0, atol=1e-6)
        assert not found.choices[task].disagreement.any()
    assert found.risk is not None
    np.testing.assert_allclose(found.risk.mean, plain["risk"][:, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.risk.deviation, 0, atol=1e-6)


def test_evaluation_stays_as_it_was() -> None:
    """The network answers the same before and after, and keeps its mode."""
    net = network()
    with torch.inference_mode():
        before = net(view()).tasks["state"]
    monte_carlo(net, [view()], MonteCarloConfig(), drawn())
    assert not any(module.training for module in net.modules())
    with torch.inference_mode():
        assert torch.equal(before, net(view()).tasks["state"])
    net.train()
    net.local.eval()
    monte_carlo(net, [view()], MonteCarloConfig(), drawn())
    assert net.training
    assert net.heads.training
    assert not net.local.training


def test_the_trunk_sees_no_dropout_even_of_a_network_in_training() -> None:
    net = network(global_branch=True)
    config = MonteCarloConfig(passes=3)
    quiet = monte_carlo(net, [view()], config, drawn())
    loud = monte_carlo(net.train(), [view()], config, drawn())
    np.testing.assert_array_equal(quiet.probabilities["state"], loud.probabilities["state"])


def test_dropout_keeps_the_mean_of_a_linear_head() -> None:
    """Kept values are scaled up by as much as others are dropped."""
    net = network(dropout=0.5)
    net.heads = nn.ModuleDict({"risk": nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1))})
    nn.init.ones_(net.heads["risk"][1].weight)  # type: ignore[index]
    vectors = torch.ones(1, 1, 4)
    with torch.inference_mode():
        found = dropout_logits(net, vectors, 20_000, drawn())["risk"]
        exact = net.heads["risk"].eval()(vectors[0])
    assert found.shape == (20_000, 1, 1)
    assert float(found.mean()) == pytest.approx(float(exact), abs=0.05)


def test_every_view_and_its_mirror_is_looked_at() -> None:
    net = network(dropout=0.0)
    views = [view(seed=1), view(seed=2)]
    found = monte_carlo(net, views, MonteCarloConfig(passes=3, flips=True), drawn())
    assert found.looks == 3 * 2 * 2
    alone = [
        monte_carlo(net, [one], MonteCarloConfig(passes=1), drawn()).probabilities["state"]
        for one in (*views, *map(mirrored, views))
    ]
    expected = np.concatenate(alone * 3)
    np.testing.assert_allclose(found.probabilities["state"], expected, atol=1e-5)
    assert np.abs(alone[0] - alone[2]).max() > 1e-4


def test_a_mirrored_crop_lies_at_the_mirrored_place() -> None:
    whole = torch.randn(1, 4, 16, 16, 32, generator=drawn())
    place = torch.tensor([[[0.0, 0.5], [0.25, 0.75], [0.0, 0.25]]])
    crop = whole[..., 0:8, 4:12, 0:8]
    turned = mirrored(View(crop, EVERYTHING, whole, place))
    assert turned.whole is not None
    assert turned.place is not None
    assert turned.place.tolist() == [[[0.0, 0.5], [0.25, 0.75], [0.75, 1.0]]]
    assert torch.equal(turned.images, turned.whole[..., 0:8, 4:12, 24:32])


def test_a_corrected_mask_is_read_and_mirrored_with_the_image() -> None:
    net = network(dropout=0.0)
    mask = torch.zeros(1, 4, 16, 16, 16)
    mask[:, 0] = 1
    mask[:, 0, 2:10, 2:10, :6], mask[:, 3, 2:10, 2:10, :6] = 0, 1
    config = MonteCarloConfig(passes=1, flips=True)
    found = monte_carlo(net, [view()], config, drawn(), [mask]).probabilities["state"]
    with torch.inference_mode():
        plain = net(view(), mask).tasks["state"]
        turned = net(mirrored(view()), mask.flip(-1)).tasks["state"]
    expected = torch.softmax(torch.stack([plain, turned]).double(), 2).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    own = monte_carlo(net, [view()], config, drawn()).probabilities["state"]
    assert np.abs(found - own).max() > 1e-4


def test_vectors_alone_give_the_same_looks() -> None:
    """As after a corrected mask, where only the heads run again."""
    net = network()
    config = MonteCarloConfig(passes=5, temperatures={"state": 2.0})
    with torch.inference_mode(), evaluating(net):
        vectors = head_vector(net, view(2))[None]
    short = monte_carlo_of_vectors(net, vectors, config, drawn())
    long = monte_carlo(net, [view(2)], config, drawn())
    np.testing.assert_array_equal(short.probabilities["state"], long.probabilities["state"])


def test_temperature_flattens_probabilities_and_leaves_risks() -> None:
    net = network()
    plain = monte_carlo(net, [view(2)], MonteCarloConfig(), drawn())
    config = MonteCarloConfig(temperatures={"state": 3.0})
    flat = monte_carlo(net, [view(2)], config, drawn())
    powered = plain.probabilities["state"] ** (1 / 3)
    expected = powered / powered.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(flat.probabilities["state"], expected, atol=1e-6)
    np.testing.assert_array_equal(flat.risk, plain.risk)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"passes": 0}, "not 0"), ({"temperatures": {"state": 0.0}}, "positive, not 0.0")],
)
def test_wrong_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MonteCarloConfig(**fields)  # type: ignore[arg-type]


def test_views_and_masks_must_fit() -> None:
    with pytest.raises(ValueError, match="0 views"):
        monte_carlo(network(), [], MonteCarloConfig(), drawn())
    masks: list[Tensor] = [torch.zeros(1, 4, 16, 16, 16)] * 2
    with pytest.raises(ValueError, match="1 views and 2 masks"):
        monte_carlo(network(), [view()], MonteCarloConfig(), drawn(), masks)


@settings(deadline=None, max_examples=80)
@given(st.integers(2, 8), st.integers(1, 4), st.integers(2, 5), st.integers(0, 10_000))
def test_spreads_keep_to_their_bounds(looks: int, patients: int, k: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    samples = draw.dirichlet(np.full(k, 0.3), (looks, patients))
    found = choice_uncertainty(samples)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    assert (found.entropy_bits <= np.log2(k) + 1e-9).all()
    # Mutual information of the truth and the look: no more than either of them holds.
    assert (found.information_bits >= 0).all()
    assert (found.information_bits <= found.entropy_bits + 1e-9).all()
    assert (found.information_bits <= np.log2(looks) + 1e-9).all()
    # All looks may prefer another class than their mean does.
    assert ((found.disagreement >= 0) & (found.disagreement <= 1)).all()
    assert (found.deviation <= 0.5 * np.sqrt(looks / (looks - 1)) + 1e-9).all()


def test_two_looks_that_contradict_each_other_are_all_information() -> None:
    found = choice_uncertainty(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    assert found.entropy_bits[0] == pytest.approx(1.0)
    assert found.information_bits[0] == pytest.approx(1.0)
    assert found.disagreement[0] == 0.5
    same = choice_uncertainty(np.full((2, 1, 2), 0.5))
    assert same.entropy_bits[0] == pytest.approx(1.0)
    assert same.information_bits[0] == pytest.approx(0.0)


def test_one_look_has_no_spread() -> None:
    with pytest.raises(ValueError, match="at least two looks, not 1"):
        choice_uncertainty(np.ones((1, 3, 1)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_facts_follow_from_states(seed: int) -> None:
    states = np.random.default_rng(seed).dirichlet(np.full(len(LABELS), 0.5), 4)
    found = fact_probabilities(states)
    for task in ("idh", "codeletion_1p19q"):
        np.testing.assert_allclose(found[task].sum(axis=1), 1)
    np.testing.assert_allclose(found["grade"].sum(axis=1), 1 - states[:, -1])
    assert (found["codeletion_1p19q"][:, 1] <= found["idh"][:, 1] + 1e-12).all()
    states[:, -1] = 0
    states /= states.sum(axis=1, keepdims=True)
    told, six = fact_probabilities(states), marginals(states[:, : len(WHO_STATES)])
    np.testing.assert_allclose(told["idh"][:, 1], six.idh_mutant)
    np.testing.assert_allclose(told["codeletion_1p19q"][:, 1], six.codeleted)
    np.testing.assert_allclose(told["grade"], six.grade)


def test_facts_are_named_and_ordered_as_the_tasks_are() -> None:
    assert {task: tuple(values) for task, values in FACTS.items()} == {
        task: CLASSES[task] for task in FACTS
    }
    with pytest.raises(ValueError, match=r"\(..., 7\), not \(2, 6\)"):
        fact_probabilities(np.ones((2, 6)))


def test_samples_are_joined_by_patient_and_by_look() -> None:
    one, two = made_up(3, 2, seed=1), made_up(3, 2, seed=2)
    patients, looks = TaskSamples.of_all_patients([one, two]), TaskSamples.of_all_looks([one, two])
    assert (patients.looks, patients.patients) == (3, 4)
    assert (looks.looks, looks.patients) == (6, 2)
    np.testing.assert_array_equal(
        patients.probabilities["state"][:, 2:], two.probabilities["state"]
    )
    np.testing.assert_array_equal(looks.risk[3:], two.risk)  # type: ignore[index]
    with pytest.raises(ValueError, match="some have a risk"):
        TaskSamples.of_all_looks([one, TaskSamples(two.probabilities)])
    with pytest.raises(ValueError, match="the same tasks"):
        TaskSamples.of_all_looks([one, TaskSamples({"state": two.probabilities["state"]})])


@pytest.mark.parametrize(
    ("probabilities", "risk", "message"),
    [
        ({}, None, "no task"),
        ({"mgmt": np.ones((2, 1, 2)) / 2}, None, "mgmt"),
        ({"idh": np.ones((2, 1, 3)) / 3}, None, "no task's"),
        ({"idh": np.ones((2, 1, 2))}, None, "do not sum to 1"),
        ({"idh": np.ones((2, 1, 2)) / 2}, np.zeros((3, 1)), "same looks"),
    ],
)
def test_what_is_no_sample_is_refused(
    probabilities: dict[str, np.ndarray], risk: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TaskSamples(probabilities, risk)


def test_an_ensemble_is_the_mean_of_its_networks() -> None:
    networks = [network(seed) for seed in range(3)]
    scales = [RiskScale(0.1, 2.0), RiskScale(-1.0, 0.5), RiskScale(0.0, 1.0)]
    found = ensemble(networks, view(2), scales).summary()
    with torch.inference_mode():
        outputs = [one(view(2)).tasks for one in networks]
    chances = [torch.softmax(one["state"].double(), 1).numpy() for one in outputs]
    np.testing.assert_allclose(found.choices["state"].probabilities, np.mean(chances, axis=0))
    assert (found.choices["state"].information_bits > 1e-4).all()
    assert "idh" in found.choices
    risks = [
        (one["risk"][:, 0].double().numpy() - scale.mean) / scale.deviation
        for one, scale in zip(outputs, scales, strict=True)
    ]
    assert found.risk is not None
    np.testing.assert_allclose(found.risk.mean, np.mean(risks, axis=0))
    np.testing.assert_allclose(found.risk.deviation, np.std(risks, axis=0, ddof=1))
    same = ensemble([networks[0]] * 2, view(), scales[:1] * 2).summary()
    np.testing.assert_allclose(same.choices["state"].information_bits, 0, atol=1e-9)


def test_risks_of_several_networks_need_their_scales() -> None:
    networks = [network(seed) for seed in range(2)]
    with pytest.raises(ValueError, match="risks of 2 networks need as many scales, not 0"):
        ensemble(networks, view())
    with pytest.raises(ValueError, match="at least two risks"):
        risk_scale([1.0])
    with pytest.raises(ValueError, match="rank nobody"):
        risk_scale([1.0, 1.0])


def rows(patients: int, run: str = "1") -> pd.DataFrame:
    names = [f"P{n}" for n in range(patients)]
    return pd.DataFrame({"case": names, "patient": names, "run": run, "sequences": COMPLETE})


def test_a_table_of_uncertainty_is_a_table_of_predictions() -> None:
    samples = made_up(5, 3)
    table = uncertainty_table(samples, rows(3))
    check_predictions(table)
    found, runs = samples.summary(), runs_of(table)
    np.testing.assert_allclose(runs.probabilities["state"][0], found.choices["state"].probabilities)
    assert set(runs.probabilities) == {"state", "histology"}
    for task in ("state", "histology", *FACTS):
        one = found.choices[task]
        for name, values in zip(
            MEASURES,
            (one.chosen_deviation, one.entropy_bits, one.information_bits, one.disagreement),
            strict=True,
        ):
            np.testing.assert_allclose(table[f"{task}_{name}"], values)
    with pytest.raises(ValueError, match="2 rows for 3 patients"):
        uncertainty_table(samples, rows(2))
    with pytest.raises(ValueError, match="lack the columns run"):
        uncertainty_table(samples, rows(3).drop(columns="run"))


def test_tables_of_several_runs_make_an_ensemble() -> None:
    tables = [uncertainty_table(made_up(4, 5, seed), rows(5, str(seed))) for seed in range(3)]
    shuffled = tables[1].iloc[::-1]
    head, samples = ensemble_of_tables([tables[0], shuffled, tables[2].iloc[1:]])
    assert list(head["case"]) == ["P1", "P2", "P3", "P4"]
    table = uncertainty_table(samples, head)
    check_predictions(table)
    assert set(table["run"]) == {ENSEMBLE}
    columns = [f"state:{name}" for name in LABELS]
    expected = np.mean([one[columns].to_numpy()[1:] for one in tables], axis=0)
    np.testing.assert_allclose(table[columns].to_numpy(), expected)
    # Each network's own scale: multiplying its risks changes nothing.
    stretched = tables[2].assign(risk=7 * tables[2]["risk"] + 3)
    _, other = ensemble_of_tables([tables[0], shuffled, stretched.iloc[1:]])
    np.testing.assert_allclose(other.risk, samples.risk)


def test_tables_that_make_no_ensemble_are_refused() -> None:
    table = uncertainty_table(made_up(4, 3), rows(3))
    with pytest.raises(ValueError, match="two members, not 1"):
        ensemble_of_tables([table])
    with pytest.raises(ValueError, match="two rows"):
        ensemble_of_tables([pd.concat([table, table]), table])
    with pytest.raises(ValueError, match="no case"):
        ensemble_of_tables([table, table.assign(sequences="flair")])
    columns = [name for name in table.columns if not name.startswith("histology")]
    with pytest.raises(ValueError, match="the same tasks"):
        ensemble_of_tables([table, table[columns]])
