"""The multi-task network: every configuration and size, guidance by masks, missing sequences."""

from itertools import combinations, product

import pytest
import torch
from torch import Tensor

from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.global_branch import GlobalFusion, place_grid
from gliomaai_training.networks.multitask import (
    SIZES,
    MultiTaskNetwork,
    MultiTaskNetworkConfig,
    View,
)
from gliomaai_training.networks.pooling import pooled, region_weights
from gliomaai_training.networks.segmentation import SegmentationNetwork

EVERYTHING = torch.ones(1, 4, dtype=torch.bool)
TASKS = ("state", "idh", "codeletion_1p19q", "grade", "histology", "risk")


def network(**fields: object) -> MultiTaskNetwork:
    """A small one, ready to run."""
    torch.manual_seed(0)
    built = build_network({"architecture": "multitask", "segmentation": "small", **fields})
    assert isinstance(built, MultiTaskNetwork)
    return built.eval()


def brain(size: int = 32, patients: int = 1, seed: int = 1) -> Tensor:
    """Images of so many patients."""
    return torch.randn(patients, 4, size, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("size", "fields"),
    list(
        product(
            SIZES,
            (
                {"tasks": ["risk"]},
                {"tasks": ["idh", "codeletion_1p19q", "histology"], "global_branch": True},
                {"tasks": ["state", "risk"], "global_branch": True},
            ),
        )
    ),
)
def test_every_system_is_buildable_at_every_size(size: str, fields: dict[str, object]) -> None:
    built = build_network({"architecture": "multitask", "segmentation": size, **fields})
    assert isinstance(built, MultiTaskNetwork)
    assert set(built.heads) == set(fields["tasks"])  # type: ignore[call-overload]
    assert (built.whole is not None) == bool(fields.get("global_branch"))


def test_shapes_of_everything() -> None:
    net = network(tasks=TASKS, global_branch=True)
    with torch.inference_mode():
        out = net(View(brain(32, 2), EVERYTHING.expand(2, 4)))
    assert out.logits.shape == (2, 4, 32, 32, 32)
    assert out.coarse_logits.shape == (2, 4, 8, 8, 8)
    assert out.whole_logits is not None
    assert out.whole_logits.shape == (2, 4, 16, 16, 16)
    assert {task: part.shape[1] for task, part in out.tasks.items()} == {
        "state": 7, "idh": 2, "codeletion_1p19q": 2, "grade": 3, "histology": 2, "risk": 1,
    }  # fmt: skip
    assert out.vector.shape == (2, net.vector_width)


def test_segmentation_weights_fit_in() -> None:
    """A pack's segmentation network is where the multi-task network begins."""
    net = network(tasks=["risk"])
    single = SegmentationNetwork(SIZES["small"])
    net.local.load_state_dict(single.state_dict())
    image = brain()
    with torch.inference_mode():
        assert torch.equal(net(View(image, EVERYTHING)).logits, single.eval()(image, EVERYTHING))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_subset_runs_and_what_is_absent_does_not_matter(count: int) -> None:
    net = network(tasks=TASKS, global_branch=True)
    image = brain()
    for subset in combinations(range(4), count):
        present = torch.zeros(1, 4, dtype=torch.bool)
        present[0, list(subset)] = True
        other = torch.where(present[..., None, None, None], image, brain(seed=9))
        with torch.inference_mode():
            one, two = net(View(image, present)), net(View(other, present))
        assert torch.equal(one.logits, two.logits)
        for task in TASKS:
            assert torch.equal(one.tasks[task], two.tasks[task])


def test_a_corrected_mask_changes_the_tasks_and_not_the_segmentation() -> None:
    net = network(tasks=["state", "risk"])
    view = View(brain(), EVERYTHING)
    drawn = torch.zeros(1, 4, 32, 32, 32)
    drawn[:, 0] = 1
    drawn[:, 0, 8:16, 8:16, 8:16] = 0
    drawn[:, 3, 8:16, 8:16, 8:16] = 1
    with torch.inference_mode():
        own, corrected = net(view), net(view, drawn)
    assert torch.equal(own.logits, corrected.logits)
    assert not torch.equal(own.tasks["risk"], corrected.tasks["risk"])


def test_without_guidance_a_mask_is_of_no_account() -> None:
    net = network(tasks=["risk"], pooled_regions=["brain"])
    mask = torch.rand(1, 4, 32, 32, 32)
    with torch.inference_mode():
        own = net(View(brain(), EVERYTHING))
        other = net(View(brain(), EVERYTHING), mask)
    assert torch.equal(own.tasks["risk"], other.tasks["risk"])


def test_tasks_teach_the_encoder_but_not_through_the_mask() -> None:
    net = network(tasks=["risk"]).train()
    net(View(brain(), EVERYTHING)).tasks["risk"].sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in net.local.encoder.parameters())
    assert all(p.grad is None for p in net.local.head.parameters())


def test_evaluation_is_deterministic_and_dropout_is_training_alone() -> None:
    net = network(tasks=["risk"])
    view = View(brain(), EVERYTHING)
    with torch.inference_mode():
        assert torch.equal(net(view).tasks["risk"], net(view).tasks["risk"])
        net.train()
        assert not torch.equal(net(view).tasks["risk"], net(view).tasks["risk"])


def test_a_risk_has_no_constant() -> None:
    assert all(head[-1].bias is None for head in network(tasks=["risk"]).heads.values())


def test_the_grid_of_a_crop_lies_where_the_crop_lies() -> None:
    """A picture of coordinates, sampled at a crop's place, gives the crop's coordinates."""
    whole = torch.linspace(0.5, 31.5, 32)
    picture = torch.stack(torch.meshgrid(whole, whole, whole, indexing="ij"))[None]
    place = torch.tensor([[[0.25, 0.75], [0.0, 0.5], [0.5, 1.0]]])
    grid = place_grid(place, (16, 16, 16))
    found = torch.nn.functional.grid_sample(picture, grid, align_corners=False)
    expected = picture[:, :, 8:24, 0:16, 16:32]
    assert torch.allclose(found, expected, atol=1e-4)


def test_fusion_reads_the_place_of_the_crop() -> None:
    torch.manual_seed(1)
    fusion = GlobalFusion(8).eval()
    local, whole = torch.randn(1, 8, 4, 4, 4), torch.randn(1, 8, 8, 8, 8)
    first, second = torch.tensor([[[0.0, 0.5]] * 3]), torch.tensor([[[0.5, 1.0]] * 3])
    with torch.inference_mode():
        assert not torch.allclose(fusion(local, whole, first), fusion(local, whole, second))


def test_a_crop_sees_the_whole() -> None:
    net = network(tasks=["risk"], global_branch=True)
    place = torch.tensor([[[0.0, 0.5]] * 3])
    crop = brain(16)
    with torch.inference_mode():
        one = net(View(crop, EVERYTHING, brain(32, seed=2), place))
        two = net(View(crop, EVERYTHING, brain(32, seed=3), place))
    assert not torch.equal(one.logits, two.logits)
    with pytest.raises(ValueError, match="needs the place"):
        View(crop, EVERYTHING, whole=brain(32))


def test_pooling_is_mean_and_maximum_inside() -> None:
    features = torch.randn(1, 3, 4, 4, 4, generator=torch.Generator().manual_seed(4))
    mask = torch.zeros(1, 4, 8, 8, 8)
    mask[:, 0] = 1
    mask[:, 0, :4, :4, :4] = 0
    mask[:, 1, :4, :4, :4] = 1
    found = pooled(features, region_weights(mask, ("brain", "TC", "ET"))).reshape(3, 2, 3)
    inside = features[0, :, :2, :2, :2].flatten(1)
    assert torch.allclose(found[1, 0], inside.sum(1) / 9, atol=1e-6)
    assert torch.allclose(found[1, 1], inside.amax(1))
    assert torch.allclose(found[0, 1], features[0].flatten(1).amax(1))
    assert not found[2].any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"segmentation": "huge"}, "sizes are small, medium, large, not 'huge'"),
        ({"pooled_regions": ["brain", "XX"]}, "not \\['XX'\\]"),
        ({"pooled_regions": []}, "not nothing"),
        ({"tasks": ["risk", "risk"]}, "named twice"),
        ({"tasks": ["mgmt"]}, "mgmt"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_wrong_configurations_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultiTaskNetworkConfig.model_validate(fields)
