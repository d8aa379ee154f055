"""The sanity check: it passes maps that depend on the weights and fails those that do not."""

import numpy as np
import pytest
import torch
from interpretation_makers import network, shown, trained, unseen
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.interpretation.answers import Shown
from gliomaai_training.interpretation.explanations import Target
from gliomaai_training.interpretation.saliency import (
    SmoothGradConfig,
    integrated_gradients,
    smooth_gradients,
)
from gliomaai_training.interpretation.sanity import SanityCheck, layers, sanity_check
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.progress import Cancelled

MUTANT = Target("idh", "mutant")


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_integration(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
    return integrated_gradients(net, one, MUTANT, steps=12).map


def by_noise(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
    config = SmoothGradConfig(samples=8)
    return smooth_gradients(net, one, MUTANT, generator(), config).map


def quick(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
    """Little more than a gradient."""
    return smooth_gradients(net, one, MUTANT, generator(), SmoothGradConfig(samples=1)).map


def edges(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
    """Looks like saliency, and knows nothing of any network."""
    images = one.view.images[0].numpy()
    return np.stack([ndimage.gaussian_gradient_magnitude(image, 1.0) for image in images])


def signed_edges(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
    """The images with a little of the network."""
    return edges(net, one) * np.sign(one.view.images[0].numpy()) + 0.1 * quick(net, one)


def check(explain: object = quick, net: MultiTaskNetwork | None = None) -> SanityCheck:
    asked = [shown(unseen()[0])]
    return sanity_check(net or trained(), asked, MUTANT, generator(), explain)  # type: ignore[arg-type]


@pytest.mark.parametrize("explain", [by_integration, by_noise])
def test_maps_of_a_trained_network_pass(explain: object) -> None:
    found = check(explain)
    assert found.passes
    assert found.patients == 1


@pytest.mark.parametrize("explain", [edges, signed_edges])
def test_edges_fail(explain: object) -> None:
    found = check(explain)
    assert not found.passes
    if explain is edges:
        assert {(row.values, row.magnitudes) for row in found.rows} == {(1.0, 1.0)}


def test_each_layer_is_randomised_alone_and_with_all_above() -> None:
    found = check()
    names = list(layers(trained()))
    assert names == [
        "heads",
        "stage at stride 8",
        "stage at stride 4",
        "fusion of sequences",
        "branches of sequences",
    ]
    assert [row.layer for row in found.rows] == 2 * names
    assert [row.order for row in found.rows] == ["cascading"] * 5 + ["independent"] * 5
    assert found.rows[0].values == found.rows[5].values  # the first is alone in both
    table = found.table()
    assert list(table.columns) == ["randomised", "layer", "rank correlation", "of magnitudes"]
    assert len(table) == 10


def test_a_global_branch_has_layers_of_its_own() -> None:
    net = network(global_branch=True)
    names = list(layers(net))
    assert names[:3] == ["heads", "global fusion", "global branch"]
    reached = [prefix for prefixes in layers(net).values() for prefix in prefixes]
    left = {
        name.split(".")[0] + "." + name.split(".")[1]
        for name, _ in net.named_parameters()
        if not name.startswith(tuple(reached))
    }
    # What draws outlines, and is held.
    assert left == {
        "local.decoder", "local.head", "local.coarse_head", "fusions.1",
        "whole.decoder", "whole.head", "whole.coarse_head",
    }  # fmt: skip


def test_nothing_else_is_touched_and_the_generator_decides() -> None:
    net = trained()
    before = {name: one.clone() for name, one in net.state_dict().items()}
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    one, same = check(), check()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())
    assert one.rows == same.rows
    asked = [shown(unseen()[0])]
    other = sanity_check(net, asked, MUTANT, generator(2), quick)
    assert other.rows != one.rows


def test_the_mask_is_that_of_the_trained_network() -> None:
    asked: list[torch.Tensor] = []

    def explain(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
        if one.mask is not None:
            asked.append(one.mask)
        return edges(net, one)

    patients = [shown(unseen()[0], masked=False)]
    found = sanity_check(network(), patients, MUTANT, generator(), explain)
    assert len(asked) == 1 + len(found.rows)
    assert all(torch.equal(one, asked[0]) for one in asked)


def test_a_map_that_vanishes_has_nothing_left() -> None:
    def explain(net: MultiTaskNetwork, one: Shown) -> NDArray[np.float32]:
        return edges(net, one) * (net is first)

    first = network()
    asked = [shown(unseen()[0])]
    found = sanity_check(first, asked, MUTANT, generator(), explain)
    assert {(row.values, row.magnitudes) for row in found.rows} == {(0.0, 0.0)}
    assert found.passes


def test_it_is_refused_and_stopped() -> None:
    with pytest.raises(ValueError, match="needs patients"):
        sanity_check(network(), [], MUTANT, generator())
    with pytest.raises(ValueError, match="the same everywhere"):
        check(lambda net, one: np.zeros(one.view.images.shape[1:], np.float32))

    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        sanity_check(network(), [shown(unseen()[0])], MUTANT, generator(), edges, stop)
