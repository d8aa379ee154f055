"""The predictor on small networks and volumes: agreement of its ways, fallbacks and errors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from numpy.typing import NDArray

from gliomaai_training.inference import runner as runner_module
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import Engine, EngineChoice, TorchEngine
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError, write_model_pack
from gliomaai_training.inference.postprocessing import nested_labels
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.runner import NetworkRunner
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.progress import Cancelled, Progress, silent
from gliomaai_training.vocabulary import SEQUENCES, Label

NETWORK: dict[str, Any] = {
    "architecture": "segmentation",
    "branch_width": 4,
    "widths": (4, 8, 16),
    "encoder_blocks": (0, 0, 1),
    "decoder_blocks": (0, 0),
    "transformer_layers": 1,
    "transformer_heads": 2,
}
CPU = EngineConfig(device="cpu", engine="torch", precision="fp32")
ALL = np.ones(4, np.bool_)


def make_pack(folder: Path, **settings: object) -> ModelPack:
    torch.manual_seed(0)
    network = build_network(NETWORK)
    section = {
        "task": "segmentation",
        "network": NETWORK,
        "normalisation": NORMALISATION,
        **settings,
    }
    metadata = {"name": "tiny", "version": "0.0.1", "gliomaai": section}
    return write_model_pack(
        folder / "tiny", metadata, network.state_dict(), {"docs/README.md": b"# tiny\n"}
    )


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    return make_pack(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def volume() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((4, 22, 26, 30), np.float32)


def make_prepared(names: tuple[str, ...] = SEQUENCES, seed: int = 2) -> Prepared:
    generator = np.random.default_rng(seed)
    grid = Grid((36, 32, 28), (1.0, 1.0, 1.0), (5.0, -7.0, 11.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    k, j, i = np.ogrid[:28, :32, :36]
    brain = ((k - 14) / 10) ** 2 + ((j - 16) / 12) ** 2 + ((i - 18) / 14) ** 2 < 1
    images = {
        name: grid.image(generator.uniform(10, 200, (28, 32, 36)).astype(np.float32))
        for name in SEQUENCES
    }
    return Prepared(
        sequences={name: images[name] for name in names},
        brain_mask=grid.image(brain.astype(np.uint8)),
        reference=names[0],
        native_grids={},
        to_native={},
        findings=(),
        steps={},
    )


def probabilities(
    predictor: Predictor,
    images: NDArray[np.float32],
    present: NDArray[np.bool_],
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Of a volume that is all brain."""
    brain = np.ones(images.shape[1:], bool)
    return predictor.segment(images, present, brain, 0.001, progress).probabilities


def test_prediction_lies_on_the_prepared_grid_and_stays_inside_the_brain(pack: ModelPack) -> None:
    prepared = make_prepared()
    prediction = Predictor(pack, CPU).predict(prepared)

    brain = sitk.GetArrayFromImage(prepared.brain_mask) > 0
    probabilities = prediction.probabilities
    assert probabilities.shape == (4, 28, 32, 36)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert (probabilities[Label.BACKGROUND][~brain] == 1).all()
    for image in (prediction.labels, prediction.entropy):
        assert Grid.of(image) == prepared.grid
    labels = sitk.GetArrayFromImage(prediction.labels)
    np.testing.assert_array_equal(labels, nested_labels(probabilities))
    assert labels[brain].any()  # an untrained network finds something: the test sees real output
    entropy = sitk.GetArrayFromImage(prediction.entropy)
    assert (entropy[~brain] == 0).all()
    assert 0 < entropy[brain].min() <= entropy.max() <= 2
    assert prediction.engine == "torch fp32 cpu"
    assert (prediction.pack_name, prediction.pack_sha256) == (pack.name, pack.sha256)


def test_the_same_study_gives_the_same_bytes(pack: ModelPack) -> None:
    first = Predictor(pack, CPU).predict(make_prepared())
    second = Predictor(pack, CPU).predict(make_prepared())
    assert first.probabilities.tobytes() == second.probabilities.tobytes()


@pytest.mark.parametrize("names", [("flair",), ("t1", "t2"), ("t1gd", "t2", "flair")])
def test_absent_sequences_may_be_anything(
    pack: ModelPack, volume: NDArray[np.float32], names: tuple[str, ...]
) -> None:
    present = np.array([name in names for name in SEQUENCES])
    predictor = Predictor(pack, CPU)
    expected = probabilities(predictor, volume, present)
    for junk in (0.0, 1e6, np.nan):
        changed = volume.copy()
        changed[~present] = junk
        np.testing.assert_array_equal(probabilities(predictor, changed, present), expected)
    assert not np.array_equal(probabilities(predictor, volume, ALL), expected)


def test_a_study_without_some_sequences_is_segmented(pack: ModelPack) -> None:
    whole = Predictor(pack, CPU).predict(make_prepared())
    part = Predictor(pack, CPU).predict(make_prepared(("t1gd", "flair")))
    assert part.probabilities.shape == whole.probabilities.shape
    assert not np.array_equal(part.probabilities, whole.probabilities)


def test_temperature_softens_but_does_not_reorder(
    tmp_path: Path, pack: ModelPack, volume: NDArray[np.float32]
) -> None:
    soft_pack = make_pack(tmp_path, calibration={"temperature": 3.0})
    sharp = probabilities(Predictor(pack, CPU), volume, ALL)
    soft = probabilities(Predictor(soft_pack, CPU), volume, ALL)
    powers = sharp.astype(np.float64) ** (1 / 3)
    np.testing.assert_allclose(soft, powers / powers.sum(axis=0), atol=1e-5)


def test_flips_make_the_prediction_mirror_symmetric(
    pack: ModelPack, volume: NDArray[np.float32]
) -> None:
    volume = volume[..., :24]  # a multiple of the stride: padding would break the symmetry
    predictor = Predictor(pack, replace(CPU, flips=True))
    straight = probabilities(predictor, volume, ALL)
    mirrored = probabilities(predictor, np.ascontiguousarray(volume[..., ::-1]), ALL)
    np.testing.assert_allclose(straight, mirrored[..., ::-1], atol=1e-6)
    assert not np.allclose(straight, probabilities(Predictor(pack, CPU), volume, ALL), atol=1e-4)


@pytest.mark.parametrize("edge", [24, 36])
def test_the_mirror_image_of_larger_voxels_is_moved_by_one_of_the_images(
    tmp_path: Path, edge: int
) -> None:
    predictor = Predictor(make_pack(tmp_path, voxel_mm=1.5), CPU)
    both = Predictor(make_pack(tmp_path / "flips", voxel_mm=1.5, inference={"flips": True}), CPU)
    volume = np.random.default_rng(3).standard_normal((4, edge, edge, edge), np.float32)
    moved = np.roll(volume[..., ::-1], (1, 1, 1), (1, 2, 3))
    back = np.roll(probabilities(predictor, moved, ALL), (-1, -1, -1), (1, 2, 3))[..., ::-1]
    mean = (probabilities(predictor, volume, ALL) + back) / 2
    np.testing.assert_allclose(probabilities(both, volume, ALL), mean, atol=1e-6)


def test_the_pack_says_whether_to_flip_unless_the_user_does(
    tmp_path: Path, pack: ModelPack, volume: NDArray[np.float32]
) -> None:
    flipping = make_pack(tmp_path, inference={"flips": True})
    flipped = probabilities(Predictor(pack, replace(CPU, flips=True)), volume, ALL)
    straight = probabilities(Predictor(pack, CPU), volume, ALL)
    for config, wanted in ((CPU, flipped), (replace(CPU, flips=False), straight)):
        np.testing.assert_array_equal(
            probabilities(Predictor(flipping, config), volume, ALL), wanted
        )
    assert not np.allclose(flipped, straight, atol=1e-4)


class LocalEngine:
    """Logits that depend on each voxel alone, so that tiles must equal the whole."""

    name = "local fp32 cpu"
    stride = 4

    def logits(
        self, images: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        return images * np.float32(2) + np.arange(4, dtype=np.float32)[:, None, None, None]


def test_tiles_equal_the_whole_where_the_network_is_local(volume: NDArray[np.float32]) -> None:
    whole = NetworkRunner(lambda _: LocalEngine(), CPU)
    tiled = NetworkRunner(lambda _: LocalEngine(), replace(CPU, max_voxels=1, tile_voxels=13))
    np.testing.assert_allclose(
        tiled.probabilities(volume, ALL), whole.probabilities(volume, ALL), atol=1e-5
    )


@pytest.mark.parametrize("voxel_mm", [1.5, 2.0, 2.3])
@pytest.mark.parametrize("size", [(40, 44, 48), (41, 43, 47)])
def test_a_network_of_coarser_voxels_answers_in_the_same_place(
    voxel_mm: float, size: tuple[int, int, int]
) -> None:
    class Bright(LocalEngine):
        def logits(
            self, images: NDArray[np.float32], present: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            assert images.shape[1:] < size
            above = images[0] - (images[0].max() + images[0].min()) / 2
            nowhere = np.full_like(above, -9)
            return np.stack([-above, nowhere, above, nowhere])

    place = np.indices(size)
    ball = sum((axis - at) ** 2 for axis, at in zip(place, (14, 25, 30), strict=True)) < 9**2
    images = np.tile(np.where(ball, 2.0, -1.0).astype(np.float32), (4, 1, 1, 1))
    found = NetworkRunner(lambda _: Bright(), CPU, voxel_mm).probabilities(images, ALL)
    assert found.shape == (4, *size)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    mask = found.argmax(axis=0) == Label.ED
    shift = np.argwhere(mask).mean(axis=0) - np.argwhere(ball).mean(axis=0)
    assert np.abs(shift).max() < 0.25  # mm; half a coarse voxel is .75 or more
    assert 2 * (mask & ball).sum() / (mask.sum() + ball.sum()) > 0.9


def test_empty_tiles_are_background_and_cost_nothing(volume: NDArray[np.float32]) -> None:
    seen: list[bool] = []

    class Watching(LocalEngine):
        def logits(
            self, images: NDArray[np.float32], present: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            seen.append(bool(images.any()))
            return super().logits(images, present)

    empty = np.zeros((4, 16, 16, 64), np.float32)
    empty[..., :16] = volume[:, :16, :16, :16]
    config = replace(CPU, max_voxels=1, tile_voxels=16, tile_overlap=0.0)
    result = NetworkRunner(lambda _: Watching(), config).probabilities(empty, ALL)
    assert seen == [True]
    assert (result[Label.BACKGROUND, ..., 16:] > 0.999).all()


@pytest.mark.parametrize("config", [CPU, replace(CPU, max_voxels=1, tile_voxels=16, flips=True)])
def test_progress_rises_to_one(
    pack: ModelPack, volume: NDArray[np.float32], config: EngineConfig
) -> None:
    seen: list[float] = []
    probabilities(Predictor(pack, config), volume, ALL, lambda _, done: seen.append(done))
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(set(seen))  # strictly rising


def test_progress_cancels_between_tiles(pack: ModelPack, volume: NDArray[np.float32]) -> None:
    calls = 0

    def stop(stage: str, fraction: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    predictor = Predictor(pack, replace(CPU, max_voxels=1, tile_voxels=16))
    with pytest.raises(Cancelled):
        probabilities(predictor, volume, ALL, stop)
    assert calls == 3


def test_falls_back_from_gpu_to_tiles_to_cpu_when_memory_runs_out(
    volume: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gpu = EngineChoice("torch", "bf16", "cuda")
    cpu = EngineChoice("torch", "fp32", "cpu")
    monkeypatch.setattr(runner_module, "choose_engine", lambda c: cpu if c.device == "cpu" else gpu)
    tried: list[tuple[str, tuple[int, ...]]] = []

    class Small(LocalEngine):
        def __init__(self, choice: EngineChoice) -> None:
            self.device = choice.device
            self.name = choice.name

        def logits(
            self, images: NDArray[np.float32], present: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            tried.append((self.device, images.shape[1:]))
            if self.device == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
            return super().logits(images, present)

    config = EngineConfig(tile_voxels=16)
    runner = NetworkRunner(Small, config)
    result = runner.probabilities(volume, ALL)
    assert tried == [("cuda", (24, 28, 32)), ("cuda", (16, 16, 16)), ("cpu", (24, 28, 32))]
    assert runner.engine == "torch fp32 cpu"
    expected = NetworkRunner(lambda _: LocalEngine(), CPU).probabilities(volume, ALL)
    np.testing.assert_array_equal(result, expected)
    assert "out of memory on torch bf16 cuda in tiles" in caplog.text


def test_memory_that_never_suffices_is_an_error(volume: NDArray[np.float32]) -> None:
    class Hungry(LocalEngine):
        def logits(
            self, images: NDArray[np.float32], present: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(MemoryError, match="even in tiles"):
        NetworkRunner(lambda _: Hungry(), CPU).probabilities(volume, ALL)


def test_other_errors_are_not_taken_for_want_of_memory(volume: NDArray[np.float32]) -> None:
    class Broken(LocalEngine):
        def logits(
            self, images: NDArray[np.float32], present: NDArray[np.bool_]
        ) -> NDArray[np.float32]:
            raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        NetworkRunner(lambda _: Broken(), CPU).probabilities(volume, ALL)


@pytest.mark.parametrize(
    ("images", "present", "message"),
    [
        (np.zeros((3, 8, 8, 8), np.float32), ALL, r"\(3, 8, 8, 8\)"),
        (np.zeros((4, 8, 8), np.float32), ALL, r"\(4, 8, 8\)"),
        (np.zeros((4, 0, 8, 8), np.float32), ALL, r"\(4, 0, 8, 8\)"),
        (np.zeros((4, 8, 8, 8), np.float32), np.ones(3, np.bool_), r"\(3,\)"),
        (np.zeros((4, 8, 8, 8), np.float32), np.ones(4), "float64"),
        (np.zeros((4, 8, 8, 8), np.float32), np.zeros(4, np.bool_), "no sequence is present"),
        (np.full((4, 8, 8, 8), np.nan, np.float32), ALL, "not finite"),
    ],
)
def test_wrong_arrays_are_refused(
    pack: ModelPack, images: NDArray[np.float32], present: NDArray[np.bool_], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        probabilities(Predictor(pack, CPU), images, present)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "brain_mask"}, "'brain_mask', not for segmentation"),
        ({"calibration": {"temperature": 0.0}}, "temperature 0.0"),
        ({"normalisation": None}, "normalised by mean and deviation"),
        ({"calibration": {"temperature": "warm"}}, "warm"),
        ({"voxel_mm": 0.5}, "voxel_mm 0.5"),
        ({"voxel_mm": "coarse"}, "coarse"),
        ({"postprocessing": {"minimum_et": 1.0}}, "minimum_et"),
        ({"postprocessing": {"minimum_et_ml": -1.0}}, "-1.0"),
    ],
)
def test_wrong_pack_settings_are_refused(
    pack: ModelPack, settings: dict[str, object], message: str
) -> None:
    wrong = replace(pack, settings={**pack.settings, **settings})
    with pytest.raises(ModelPackError, match=message):
        Predictor(wrong, CPU)


def test_postprocessing_of_the_pack_is_applied_to_labels_only(
    tmp_path: Path, pack: ModelPack
) -> None:
    strict = make_pack(tmp_path, postprocessing={"minimum_focus_ml": 1e6})
    prediction = Predictor(strict, CPU).predict(make_prepared())
    assert not sitk.GetArrayFromImage(prediction.labels).any()
    plain = Predictor(pack, CPU).predict(make_prepared())
    np.testing.assert_array_equal(prediction.probabilities, plain.probabilities)


def test_a_brain_of_another_size_is_refused(pack: ModelPack, volume: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="brain of shape"):
        Predictor(pack, CPU).segment(volume, ALL, np.ones((2, 2, 2), bool), 0.001)


def test_engine_is_opened_once_and_threads_are_given_back(
    pack: ModelPack, volume: NDArray[np.float32]
) -> None:
    opened: list[EngineChoice] = []

    def open_engine(choice: EngineChoice) -> Engine:
        opened.append(choice)
        torch.manual_seed(0)
        return TorchEngine(build_network(NETWORK), choice, threads=1)

    runner = NetworkRunner(open_engine, CPU)
    before = torch.get_num_threads()
    runner.probabilities(volume, ALL)
    runner.probabilities(volume, ALL)
    assert len(opened) == 1
    assert torch.get_num_threads() == before
