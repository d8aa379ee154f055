"""Training of the brain mask network: losses, checkpoints, resuming, the pack and the command."""

import json
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gliomaai_training.cli import main
from gliomaai_training.inference.model_pack import CARD, load_model_pack
from gliomaai_training.networks.brain_mask import BrainMaskNetwork, BrainMaskNetworkConfig
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.brain_mask import BrainMasker, network_logit
from gliomaai_training.progress import Cancelled
from gliomaai_training.simulation.head_canvas import Draw
from gliomaai_training.training import brain_mask as training
from gliomaai_training.training.brain_mask import (
    CHECKPOINT,
    LOG,
    PADDING_WEIGHT,
    BrainMaskTraining,
    augmented,
    common_shape,
    load_finished,
    load_state,
    mask_loss,
    new_state,
    similar_pair,
    train_brain_mask,
    vertex_weight,
)
from gliomaai_training.training.brain_mask_pack import write_brain_mask_pack

SMALL = (4, 6, 8)
SUMMARY = {"n": 2.0, "mean": 0.97, "median": 0.975, "p5": 0.9, "worst": 0.88}
FIGURES: dict[str, Any] = {
    "simulated_dice": SUMMARY,
    "tumour_inside": {"flair": SUMMARY, "fused": SUMMARY},
    "reference_dice": {"A": 0.95, "B": 0.94},
    "study": {"volume_ml": 1401.2, "dice": {"a, b": 0.98, "a, c": 0.96}},
    "outside_share": {"stripped_largest": 0.002, "stripped_count": 136, "raw_smallest": 0.6},
    "cpu_seconds": {"study": 0.31},
}


class Alive:
    """Stands for the drawing process."""

    def is_alive(self) -> bool:
        """It never ends."""
        return True


@dataclass(frozen=True)
class ReadySamples:
    """What the training takes samples from."""

    samples: "queue.Queue[Any]"
    process: Alive


@pytest.fixture
def balls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bright balls instead of heads; the list holds how many samples each run had had before."""
    starts: list[int] = []

    @contextmanager
    def source(config: BrainMaskTraining, first: int) -> Iterator[ReadySamples]:
        starts.append(first)
        samples: queue.Queue[Any] = queue.Queue()
        generator = np.random.default_rng(first)
        for _ in range(20):
            centre = generator.uniform(7, 11, 3)
            index = np.stack(np.meshgrid(*[np.arange(n) for n in (17, 19, 18)], indexing="ij"), -1)
            target = (np.linalg.norm(index - centre, axis=-1) < 6).astype(np.float16)
            image = (target * 0.8 + generator.random(target.shape) * 0.2).astype(np.float16)
            samples.put((image, target))
        yield ReadySamples(samples, Alive())

    monkeypatch.setattr(training, "drawn_samples", source)
    return starts


def test_training_learns_and_resumes(tmp_path: Path, balls: list[int]) -> None:
    config = BrainMaskTraining(steps=100, channels=SMALL, learning_rate=1e-2)
    train_brain_mask(BrainMaskTraining(steps=50, channels=SMALL, learning_rate=1e-2), tmp_path)
    state = train_brain_mask(config, tmp_path)
    assert (state.step, state.drawn) == (100, 40)
    assert balls == [0, 20]
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [50, 100]
    assert lines[1]["loss"] < 0.95 * lines[0]["loss"]
    finished = load_finished(tmp_path / CHECKPOINT)
    assert (finished.steps, finished.images) == (100, 40)
    again = train_brain_mask(config, tmp_path)
    assert again.step == 100


def test_checkpoint_holds_everything(tmp_path: Path, balls: list[int]) -> None:
    config = BrainMaskTraining(steps=3, channels=SMALL)
    state = train_brain_mask(config, tmp_path)
    loaded = load_state(tmp_path / CHECKPOINT, config)
    for one, other in (
        (state.net.state_dict(), loaded.net.state_dict()),
        (state.average.state_dict(), loaded.average.state_dict()),
    ):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(state.generator.get_state(), loaded.generator.get_state())
    moments = state.optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(moments, loaded.optimizer.state_dict()["state"][0]["exp_avg"])
    assert loaded.step == 3
    with pytest.raises(ValueError, match="widths"):
        load_state(tmp_path / CHECKPOINT, BrainMaskTraining(steps=3, channels=(4, 6, 10)))


def test_cancelled_training_leaves_its_checkpoint(tmp_path: Path, balls: list[int]) -> None:
    def cancel_half_way(stage: str, fraction: float) -> None:
        if fraction >= 0.5:
            raise Cancelled

    config = BrainMaskTraining(steps=8, channels=SMALL)
    with pytest.raises(Cancelled):
        train_brain_mask(config, tmp_path, cancel_half_way)
    assert load_state(tmp_path / CHECKPOINT, config).step == 4
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT]


def test_length_is_steps_or_minutes() -> None:
    with pytest.raises(ValueError, match="steps or in minutes"):
        BrainMaskTraining()
    with pytest.raises(ValueError, match="steps or in minutes"):
        BrainMaskTraining(steps=10, minutes=1.0)
    assert BrainMaskTraining(minutes=10.0).fraction(10**6, 5.0) == 0.5
    assert BrainMaskTraining(steps=10).fraction(20, 0.0) == 1.0


def test_augmentation_pads_to_the_network_with_little_weight() -> None:
    image = torch.rand(13, 18, 27, generator=torch.Generator().manual_seed(0))
    target = (image > 0.5).float()
    for seed in range(20):
        draw = Draw(torch.Generator().manual_seed(seed))
        shape = common_shape([image.shape, (9, 20, 30)], draw)
        assert all(size % 8 == 0 for size in shape)
        assert all(size >= least for size, least in zip(shape, (16, 24, 32), strict=True))
        padded, answer, weight = augmented(image, target, shape, draw)
        assert padded.shape == answer.shape == weight.shape == shape
        assert int((weight > PADDING_WEIGHT).sum()) == image.numel()
        assert float(answer.sum()) == float(target.sum())


def test_pairs_are_of_similar_size_and_two_samples() -> None:
    def sample(length: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        return np.full((length, 8, 8), length, np.float16), np.zeros((length, 8, 8), np.float16)

    buffer = deque(sample(length) for length in (16, 17, 18, 40, 41, 42))
    draw = Draw(torch.Generator().manual_seed(0))
    pairs = [[int(image.shape[0]) for image, _ in similar_pair(buffer, draw)] for _ in range(200)]
    assert all(first != second for first, second in pairs)
    assert {first for first, _ in pairs} == {16, 17, 18, 40, 41, 42}
    near = sum(abs(first - second) <= 2 for first, second in pairs)
    assert near > 180  # two random ones would be near in 2 of 5
    alone = similar_pair(deque([sample(16)]), draw)
    assert [image.shape[0] for image, _ in alone] == [16, 16]


def test_vertex_weighs_more() -> None:
    target = torch.zeros(10, 10, 40)
    target[2:8, 2:8, 5:30] = 1
    weight = vertex_weight(target)
    assert float(weight[5, 5, 29]) > float(weight[5, 5, 10]) == 1.0
    assert float(weight[5, 5, 36]) == 1.0
    assert bool((vertex_weight(torch.zeros(4, 4, 4)) == 1).all())


def test_loss_is_least_for_the_truth() -> None:
    target = (torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    weight = torch.ones_like(target)
    right, wrong = (target - 0.5) * 20, (0.5 - target) * 20
    assert float(mask_loss(right, target, weight)) < 0.01
    assert float(mask_loss(right, target, weight)) < float(mask_loss(0 * right, target, weight))
    assert float(mask_loss(0 * right, target, weight)) < float(mask_loss(wrong, target, weight))
    ignored = torch.where(target > 0, 1.0, 0.0)
    assert float(mask_loss(torch.full_like(target, 20.0), target, ignored)) < 0.01


def test_network_is_small_and_rebuilt_from_its_settings() -> None:
    net = build_network({"architecture": "brain_mask"})
    assert sum(p.numel() for p in net.parameters()) < 1_000_000
    config = BrainMaskNetworkConfig(channels=SMALL)
    small = build_network({"architecture": "brain_mask", **config.model_dump()})
    assert isinstance(small, BrainMaskNetwork)
    assert small.config == config
    assert small(torch.zeros(1, 1, 16, 24, 8)).shape == (1, 1, 16, 24, 8)
    with pytest.raises(ValueError, match="depth"):
        build_network({"architecture": "brain_mask", "depth": 4})


def test_every_weight_learns() -> None:
    net = new_state(BrainMaskTraining(steps=1, channels=SMALL)).net
    net(torch.rand(1, 1, 16, 16, 16)).square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert float(net.stem[0].weight.grad.abs().sum()) > 0


def test_pack_finds_the_same_brain(tmp_path: Path, balls: list[int]) -> None:
    import SimpleITK as sitk

    train_brain_mask(BrainMaskTraining(steps=2, channels=SMALL), tmp_path / "run")
    finished = load_finished(tmp_path / "run" / CHECKPOINT)
    write_brain_mask_pack(tmp_path / "pack", "1.2.3", finished, FIGURES, {"LICENSE": b"free"})
    pack = load_model_pack(tmp_path / "pack")
    assert pack.version == "1.2.3"
    image = sitk.GetImageFromArray(np.random.default_rng(0).random((20, 60, 60), np.float32) * 100)
    image.SetSpacing((1.5, 1.5, 5))
    packed = sitk.GetArrayFromImage(BrainMasker(pack).logit(image))
    direct = sitk.GetArrayFromImage(network_logit(finished.network, image))
    np.testing.assert_allclose(packed, direct, atol=0.02)  # weights are stored in float16
    card = (pack.folder / CARD).read_text("utf-8")
    assert "| fused | 2 | 97.5 | 90.0 | 88.0 |" in card
    assert "{" not in card


def test_pack_needs_all_figures(tmp_path: Path, balls: list[int]) -> None:
    train_brain_mask(BrainMaskTraining(steps=1, channels=SMALL), tmp_path)
    finished = load_finished(tmp_path / CHECKPOINT)
    with pytest.raises(
        ValueError, match="lacks outside_share, reference_dice, study, tumour_inside"
    ):
        write_brain_mask_pack(
            tmp_path / "pack", "1", finished, {"simulated_dice": SUMMARY}, {"LICENSE": b""}
        )
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "nothing to do"),
        (["--evaluate"], 1, "train first"),
        (["--pack", "pack"], 1, "give --licence and --version"),
        (["--pack", "pack", "--licence", __file__], 1, "give --licence and --version"),
        (
            ["--pack", "pack", "--licence", __file__, "--version", "1"],
            1,
            "give --evaluate first",
        ),
    ],
)
def test_command_says_what_is_missing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    assert main(["brain-mask", "--out", str(tmp_path), *options]) == code
    assert message in capsys.readouterr().err


ORPHAN = """
import multiprocessing, os, sys
from gliomaai_training.training.brain_mask import _put

def draw(samples):
    while True:
        _put(samples, 0)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    samples = context.Queue(1)
    process = context.Process(target=draw, args=(samples,))
    process.start()
    samples.get()
    sys.stdout.write("drawing")
    sys.stdout.flush()
    os._exit(1)  # as when it is killed: nothing is cleaned up
"""


def test_the_drawing_process_ends_with_the_training(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    # Waits for the orphan too: it holds the other end of the pipe until it ends.
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (1, b"drawing")


def test_command_trains(tmp_path: Path, balls: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["brain-mask", "--out", str(tmp_path), "--steps", "1"]) == 0
    assert load_finished(tmp_path / CHECKPOINT).steps == 1
