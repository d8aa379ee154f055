"""Saliency maps: they add up, leave out what is absent, and find what a network learnt from."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from interpretation_makers import CARRIER, SIZE, network, shown, trained, unseen

from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.interpretation.answers import Shown, answer_of, own_mask
from gliomaai_training.interpretation.explanations import Saliency, Target, usual_targets
from gliomaai_training.interpretation.saliency import (
    SmoothGradConfig,
    integrated_gradients,
    smooth_gradients,
)
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.progress import Cancelled, Progress, silent

MUTANT = Target("idh", "mutant")
RISK = Target("risk")

Method = Callable[[MultiTaskNetwork, Shown, Target, Progress], Saliency]


def by_integration(
    net: MultiTaskNetwork, one: Shown, target: Target, progress: Progress = silent
) -> Saliency:
    return integrated_gradients(net, one, target, 8, progress)


def by_noise(
    net: MultiTaskNetwork, one: Shown, target: Target, progress: Progress = silent
) -> Saliency:
    generator = torch.Generator().manual_seed(0)
    return smooth_gradients(net, one, target, generator, SmoothGradConfig(samples=3), progress)


METHODS = pytest.mark.parametrize("method", [by_integration, by_noise])


def with_whole(one: Shown) -> Shown:
    """A crop in the middle of a whole that shows other things, too."""
    whole = torch.randn(1, 4, SIZE, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    place = torch.tensor([[[0.25, 0.75]] * 3])
    return Shown(View(one.view.images, one.view.present, whole, place), one.mask)


@pytest.mark.parametrize("number", [0, 3])
def test_attributions_add_up_to_what_the_images_change(number: int) -> None:
    """Evenly spaced steps find next to nothing of it: see `integrated_gradients`."""
    found = integrated_gradients(trained(), shown(unseen()[number]), MUTANT, steps=32)
    assert found.baseline is not None
    assert found.gap is not None
    change = found.output - found.baseline
    assert abs(change) > 0.5
    assert abs(found.gap) < 0.03 * abs(change)
    assert found.map.sum() == pytest.approx(change, abs=0.03 * abs(change))


@pytest.mark.parametrize("target", [RISK, Target("grade", "4"), MUTANT])
def test_they_add_up_with_a_global_branch(target: Target) -> None:
    net = network(global_branch=True)
    alone = integrated_gradients(net, shown(unseen()[0]), target, steps=32)
    assert alone.whole is None
    crop = integrated_gradients(net, with_whole(shown(unseen()[0])), target, steps=32)
    assert crop.whole is not None
    assert crop.whole.any()
    for found in (alone, crop):
        assert found.gap is not None
        assert found.baseline is not None
        assert abs(found.output - found.baseline) > 0.05
        assert abs(found.gap) < 0.1 * abs(found.output - found.baseline)


def test_a_whole_that_a_network_does_not_read_is_of_no_account() -> None:
    plain = by_integration(network(), shown(unseen()[0]), RISK)
    beside = by_integration(network(), with_whole(shown(unseen()[0])), RISK)
    assert beside.whole is None
    assert np.array_equal(plain.map, beside.map)


@METHODS
@pytest.mark.parametrize("masked", [True, False])
def test_an_absent_sequence_gets_exactly_nothing(method: Method, masked: bool) -> None:
    one = shown(unseen()[0], (True, False, True, False), masked)
    found = method(network(), one, RISK, silent)
    assert found.sequences == ("t1", "t2")
    assert found.map.shape == one.view.images.shape[1:]
    assert found.map.dtype == np.float32
    assert not found.map[[1, 3]].any()
    assert found.map[0].any()
    assert found.map[2].any()
    assert set(found.shares()) == {"t1", "t2"}
    assert sum(found.shares().values()) == pytest.approx(1)
    one.view.images[:, [1, 3]] = 1000.0
    assert np.array_equal(method(network(), one, RISK, silent).map, found.map)


@METHODS
def test_what_lies_outside_the_brain_gets_nothing(method: Method) -> None:
    ball = unseen()[0]
    found = method(network(), shown(ball), RISK, silent)
    assert not found.map[:, ~ball.brain].any()


@METHODS
def test_the_outline_is_held(method: Method) -> None:
    """A mask that the network draws is drawn once: the map is that of the same mask, given."""
    net, free = network(), shown(unseen()[0], masked=False)
    given = Shown(free.view, own_mask(net, free))
    assert np.array_equal(method(net, free, RISK, silent).map, method(net, given, RISK, silent).map)
    other = method(net, shown(unseen()[0]), RISK, silent)
    assert not np.array_equal(other.map, method(net, free, RISK, silent).map)


@METHODS
def test_no_switch_of_the_caller_matters(method: Method) -> None:
    net = network(dropout=0.5)
    expected = method(net, shown(unseen()[0]), RISK, silent)
    net.train()
    with torch.inference_mode():
        found = method(net, shown(unseen()[0], masked=False), RISK, silent)
        same = method(net, shown(unseen()[0]), RISK, silent)
    assert net.training
    assert found.map.any()
    assert np.array_equal(same.map, expected.map)
    assert all(one.grad is None for one in net.parameters())


@METHODS
def test_a_map_is_stopped_and_leaves_the_network_as_it_was(method: Method) -> None:
    told: list[float] = []

    def stop(stage: str, fraction: float) -> None:
        told.append(fraction)
        if len(told) == 2:
            raise Cancelled

    net = network().train()
    with pytest.raises(Cancelled):
        method(net, shown(unseen()[0]), RISK, stop)
    assert net.training
    assert told[0] == 0
    assert 0 < told[1] < 1


def test_progress_ends_at_one() -> None:
    told: list[float] = []
    by_integration(network(), shown(unseen()[0]), RISK, lambda _, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 1


def test_noise_is_the_generator_s() -> None:
    def of(seed: int) -> Saliency:
        generator = torch.Generator().manual_seed(seed)
        config = SmoothGradConfig(samples=2)
        return smooth_gradients(network(), shown(unseen()[0]), RISK, generator, config)

    assert np.array_equal(of(1).map, of(1).map)
    assert not np.array_equal(of(1).map, of(2).map)
    assert of(1).baseline is None
    assert of(1).gap is None


def test_a_map_finds_the_tumour_and_the_sequence_that_was_learnt_from() -> None:
    """Part of it is the outline's doing: hence more than an untrained network shows."""

    def of(net: MultiTaskNetwork) -> tuple[float, float, float]:
        inside, carrier, both = [], [], []
        for ball in unseen(4):
            strength = np.abs(integrated_gradients(net, shown(ball), MUTANT, steps=16).map)
            total = strength.sum()
            inside.append(strength[:, ball.tumour].sum() / total)
            carrier.append(strength[CARRIER].sum() / total)
            both.append(strength[CARRIER][ball.tumour].sum() / total)
        return float(np.mean(inside)), float(np.mean(carrier)), float(np.mean(both))

    volume = np.mean([ball.tumour.sum() / ball.brain.sum() for ball in unseen(4)])
    inside, carrier, both = of(trained())
    assert inside > 3 * volume
    assert carrier > 0.35  # of four sequences
    assert both > 1.5 * of(network(tasks=("idh",)))[2]


def test_what_is_bright_on_the_carrier_speaks_for_the_class() -> None:
    for ball in unseen():
        found = integrated_gradients(trained(), shown(ball), MUTANT, steps=16)
        assert (found.map[CARRIER][ball.tumour].sum() > 0) == ball.mutant


def test_an_answer_through_the_state_is_the_marginal_s_log_odds() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * 3
    states = torch.softmax(logits.double(), 1).numpy()
    expected = fact_probabilities(states)
    for task, answer, column in (
        ("idh", "mutant", 1), ("codeletion_1p19q", "co-deleted", 1), ("grade", "4", 2),
    ):  # fmt: skip
        share = expected[task][:, column]
        found = answer_of({"state": logits}, Target(task, answer), {})
        assert found.numpy() == pytest.approx(np.log(share / (1 - share)), abs=1e-4)


def test_a_head_of_its_own_comes_first_and_temperature_divides() -> None:
    outputs = {"state": torch.zeros(1, 7), "idh": torch.tensor([[0.0, 3.0]])}
    assert answer_of(outputs, MUTANT, {}).item() == pytest.approx(3)
    assert answer_of(outputs, MUTANT, {"idh": 2.0}).item() == pytest.approx(1.5)
    assert answer_of(outputs, Target("idh", "wild-type"), {}).item() == pytest.approx(-3)


def test_usual_targets_are_what_a_network_answers() -> None:
    assert [one.name for one in usual_targets(("state", "risk"))] == [
        "idh:mutant",
        "codeletion_1p19q:co-deleted",
        "grade:4",
        "risk",
    ]
    assert [one.words for one in usual_targets(("idh", "histology"))] == [
        "IDH mutant",
        "glioblastoma",
    ]


@pytest.mark.parametrize(
    "target",
    [
        Target("histology", "glioblastoma"),
        Target("idh", "unheard of"),
        Target("grade", "5"),
        Target("mgmt", "methylated"),
    ],
)
def test_what_a_network_does_not_answer_is_refused(target: Target) -> None:
    with pytest.raises(ValueError, match="does not answer"):
        integrated_gradients(network(), shown(unseen()[0]), target)


def test_wrong_questions_are_refused() -> None:
    images, everything = torch.zeros(2, 4, 8, 8, 8), torch.ones(2, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="one patient"):
        Shown(View(images, everything))
    with pytest.raises(ValueError, match="nothing to explain"):
        Shown(View(images[:1], ~everything[:1]))
    with pytest.raises(ValueError, match="at least 4 steps"):
        integrated_gradients(network(), shown(unseen()[0]), RISK, steps=3)
    with pytest.raises(ValueError, match="samples and noise"):
        SmoothGradConfig(samples=0)
    with pytest.raises(ValueError, match="risk' with 'high"):
        Target("risk", "high")
    with pytest.raises(ValueError, match="'idh' with None"):
        Target("idh")


@pytest.mark.parametrize("branch", [True, False])
def test_maps_without_a_mask_drawn_are_those_of_the_segmentation(branch: bool) -> None:
    net, view = network(global_branch=branch), shown(unseen()[0]).view
    with torch.inference_mode():
        _, expected = net.segment(view)
        found = net.pooled_maps(view)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
