"""Multi-task packs: features of the pass, answers from a mask, and what is wrong with settings."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from multitask_makers import APART, COHORT, UNIFIED, settings_of, write_multitask_pack

from gliomaai_training.inference import runner as runner_module
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import EngineChoice
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError
from gliomaai_training.inference.multitask_engine import MultiTaskEngine
from gliomaai_training.inference.predictor import IN_TILES, Predictor
from gliomaai_training.inference.runner import NetworkRunner
from gliomaai_training.inference.task_features import SeenGrid, TaskFeatures
from gliomaai_training.inference.task_heads import TaskReader, load_network, state_marginals
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import NetworkInput, pad_to_multiple
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.progress import Cancelled
from gliomaai_training.survival.cox_prediction import predict
from gliomaai_training.survival.log_risk import LOG_RISK, log_risk_model
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.vocabulary import SEQUENCES

CPU = EngineConfig(device="cpu", engine="torch", precision="fp32")
SHAPE = (26, 30, 34)


def make_prepared(names: tuple[str, ...] = SEQUENCES) -> Prepared:
    generator = np.random.default_rng(2)
    grid = Grid(SHAPE[::-1], (1.0, 1.0, 1.0), (5.0, -7.0, 11.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    k, j, i = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    brain = ((k - 14) / 11) ** 2 + ((j - 15) / 13) ** 2 + ((i - 18) / 15) ** 2 < 1
    images = {n: grid.image(generator.uniform(9, 99, SHAPE).astype(np.float32)) for n in SEQUENCES}
    return Prepared(
        sequences={name: images[name] for name in names},
        brain_mask=grid.image(brain.astype(np.uint8)),
        reference=names[0],
        native_grids={},
        to_native={},
        findings=(),
        steps={},
    )


def tumour(centre: tuple[int, int, int] = (14, 15, 18), radius: float = 7) -> Any:
    """Labels on the common grid: a ball of oedema around one of enhancing tumour."""
    place = np.indices(SHAPE)
    far = sum((axis - at) ** 2 for axis, at in zip(place, centre, strict=True))
    labels = np.zeros(SHAPE, np.uint8)
    labels[far < radius**2] = 2
    labels[far < (radius / 2) ** 2] = 3
    return labels


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    return write_multitask_pack(tmp_path_factory.mktemp("packs") / "unified")


def features_of(pack: ModelPack, config: EngineConfig = CPU) -> TaskFeatures:
    found = Predictor(pack, config).predict(make_prepared()).features
    assert found is not None
    return found


# The pass


def test_one_pass_gives_labels_and_features(pack: ModelPack) -> None:
    prepared = make_prepared()
    prediction = Predictor(pack, CPU).predict(prepared)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert Grid.of(prediction.labels) == prepared.grid
    assert prediction.no_features == ""
    assert prediction.features is not None
    coarsest, finer = prediction.features.maps
    assert coarsest.dtype == finer.dtype == np.float16
    assert len(coarsest) == 8
    assert finer.shape == (8, *(2 * n for n in coarsest.shape[1:]))


@pytest.mark.parametrize("voxel_mm", [1.0, 1.5, 2.3])
def test_answers_are_the_network_s_own_for_the_same_mask(tmp_path: Path, voxel_mm: float) -> None:
    """The long way round, through float16 and the common grid, gives what the network gives."""
    pack = write_multitask_pack(tmp_path / "unified", settings_of(voxel_mm=voxel_mm))
    predictor = Predictor(pack, CPU)
    features = predictor.predict(make_prepared()).features
    assert features is not None
    labels = tumour()
    said = TaskReader(pack).read(features, labels)

    network = load_network(pack)
    cut = NetworkInput.of(make_prepared(), round(network.stride * voxel_mm))
    from gliomaai_training.preprocessing.coarsening import block_means, coarsened_input

    read = coarsened_input(cut.images, voxel_mm)
    drawn = np.pad(labels[cut.box], [(0, w - n) for n, w in zip(
        labels[cut.box].shape, cut.brain.shape, strict=True)])  # fmt: skip
    shares = block_means(np.stack([drawn == label for label in range(4)]), read.shape[1:])  # type: ignore[arg-type]
    padded = pad_to_multiple(shares, network.stride)
    padded[0] = 1 - padded[1:].sum(axis=0)
    with torch.inference_mode():
        images = torch.from_numpy(pad_to_multiple(read, network.stride))[None]
        out = network(
            View(images, torch.ones(1, 4, dtype=torch.bool)), torch.from_numpy(padded)[None]
        )
    expected = torch.softmax(out.tasks["state"][0].double(), 0).numpy()
    np.testing.assert_allclose(list(said.probabilities["state"].values()), expected, atol=2e-3)
    assert said.log_risk == pytest.approx(float(out.tasks["risk"][0, 0]), abs=0.02)
    np.testing.assert_allclose(said.vector, out.vector[0].numpy(), atol=0.02)


def test_the_mask_counts_and_the_same_mask_gives_the_same_answer(pack: ModelPack) -> None:
    features, reader = features_of(pack), TaskReader(pack)
    first, again = reader.read(features, tumour()), reader.read(features, tumour())
    assert first.probabilities == again.probabilities
    assert first.log_risk == again.log_risk
    assert first.vector.tobytes() == again.vector.tobytes()
    corrected = reader.read(features, tumour((10, 18, 12), 6))
    assert corrected.log_risk != pytest.approx(first.log_risk, abs=1e-3)
    assert corrected.probabilities["state"]["GBM"] != pytest.approx(
        first.probabilities["state"]["GBM"], abs=1e-4
    )


@pytest.mark.parametrize(
    "names", [subset for count in (1, 2, 3, 4) for subset in combinations(SEQUENCES, count)]
)
def test_every_subset_of_sequences_runs(pack: ModelPack, names: tuple[str, ...]) -> None:
    features = Predictor(pack, CPU).predict(make_prepared(names)).features
    assert features is not None
    said = TaskReader(pack).read(features, tumour())
    assert sum(said.probabilities["state"].values()) == pytest.approx(1)
    assert said.log_risk is not None


def test_temperature_flattens_and_changes_no_order(tmp_path: Path) -> None:
    plain = write_multitask_pack(tmp_path / "plain")
    flat = write_multitask_pack(
        tmp_path / "flat", settings_of(calibration={"tasks": {"state": 4.0}})
    )
    sharp, soft = (
        TaskReader(one).read(features_of(one), tumour()).probabilities["state"]
        for one in (plain, flat)
    )
    assert sorted(sharp, key=sharp.__getitem__) == sorted(soft, key=soft.__getitem__)
    assert max(soft.values()) < max(sharp.values())


def test_heads_that_answer_alone(tmp_path: Path) -> None:
    pack = write_multitask_pack(tmp_path / "apart", settings_of(APART))
    said = TaskReader(pack).read(features_of(pack), tumour())
    assert said.log_risk is None
    assert {task: len(classes) for task, classes in said.probabilities.items()} == {
        "idh": 2, "codeletion_1p19q": 2, "grade": 3, "histology": 2,
    }  # fmt: skip
    for classes in said.probabilities.values():
        assert sum(classes.values()) == pytest.approx(1)


def test_openvino_is_not_used_and_that_is_said(
    pack: ModelPack, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("openvino")
    config = EngineConfig(device="cpu", engine="openvino", precision="fp32")
    prediction = Predictor(pack, config).predict(make_prepared())
    assert prediction.engine == "torch fp32 cpu"
    assert prediction.features is not None
    assert "multi-task packs run in torch" in caplog.text


def test_flips_change_the_labels_not_the_features(pack: ModelPack) -> None:
    straight, mirrored = features_of(pack), features_of(pack, replace(CPU, flips=True))
    for one, other in zip(straight.maps, mirrored.maps, strict=True):
        assert one.tobytes() == other.tobytes()


def test_cancelling_stops_the_pass(pack: ModelPack) -> None:
    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        Predictor(pack, CPU).predict(make_prepared(), stop)


# Tiles and memory


def test_tiles_give_labels_and_say_why_nothing_else(pack: ModelPack) -> None:
    config = replace(CPU, max_voxels=1, tile_voxels=16)
    prediction = Predictor(pack, config).predict(make_prepared())
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert prediction.features is None
    assert prediction.no_features == IN_TILES


def test_a_tile_is_given_its_place_in_the_whole(pack: ModelPack) -> None:
    """One tile over everything, larger than the volume, must be what the whole pass is."""
    images = np.random.default_rng(5).standard_normal((4, 16, 24, 16), np.float32)
    network = load_network(pack)
    runners = [
        NetworkRunner(lambda c: MultiTaskEngine(network, c, None), config, has_heads=True)
        for config in (CPU, replace(CPU, max_voxels=1, tile_voxels=16, tile_overlap=0.5))
    ]
    seen: list[tuple[tuple[float, ...], ...]] = []
    present = np.ones(4, np.bool_)
    whole = runners[0].run(images, present)
    real = MultiTaskEngine.tile_logits

    def watched(self: Any, values: Any, shown: Any, around: Any) -> Any:
        seen.append(tuple(map(tuple, around.place.tolist())))
        part = images[(slice(None), *(
            slice(round(a * n), round(b * n))
            for (a, b), n in zip(around.place, images.shape[1:], strict=True)))]  # fmt: skip
        np.testing.assert_array_equal(values, part)
        return real(self, values, shown, around)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MultiTaskEngine, "tile_logits", watched)
        tiled = runners[1].run(images, present)
    assert len(set(seen)) == 2
    assert whole.maps is not None
    assert tiled.maps is None
    assert tiled.probabilities.shape == whole.probabilities.shape
    # Not the same, as a tile has not the whole's borders; far nearer than chance.
    assert np.corrcoef(tiled.probabilities.ravel(), whole.probabilities.ravel())[0, 1] > 0.8


def test_the_cpu_goes_before_tiles(pack: ModelPack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole pass on the CPU gives every answer, tiles on the GPU do not."""
    gpu = EngineChoice("torch", "fp32", "cuda")
    cpu = EngineChoice("torch", "fp32", "cpu")
    monkeypatch.setattr(runner_module, "choose_engine", lambda c: cpu if c.device == "cpu" else gpu)
    network = load_network(pack)

    class OutOfMemory(MultiTaskEngine):
        def passed(self, *_: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    def opened(choice: EngineChoice) -> MultiTaskEngine:
        kind = OutOfMemory if choice.device == "cuda" else MultiTaskEngine
        return kind(network, cpu, None)

    runner = NetworkRunner(opened, EngineConfig(tile_voxels=16), has_heads=True)
    images = np.random.default_rng(5).standard_normal((4, 16, 24, 16), np.float32)
    assert runner.run(images, np.ones(4, np.bool_)).maps is not None


# Features


def test_features_survive_a_file(pack: ModelPack) -> None:
    features = features_of(pack)
    read = TaskFeatures.from_bytes(features.to_bytes())
    assert read.seen == features.seen
    assert read.pack_sha256 == pack.sha256
    reader = TaskReader(pack)
    assert reader.read(read, tumour()).log_risk == reader.read(features, tumour()).log_risk


@pytest.mark.parametrize("change", [b"", b"PK\x03\x04 and then nothing", b"no archive at all"])
def test_damaged_features_are_refused(change: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        TaskFeatures.from_bytes(change)


def test_cut_features_are_refused(pack: ModelPack) -> None:
    content = features_of(pack).to_bytes()
    with pytest.raises(ValueError, match="cannot be read"):
        TaskFeatures.from_bytes(content[: len(content) // 2])


def test_a_mask_is_put_where_the_network_saw_it() -> None:
    seen = SeenGrid((10, 12, 14), (2, 3, 4), (8, 8, 8), (4, 4, 4), (8, 8, 8))
    maps = np.zeros((3, 1, 1, 1), np.float16), np.zeros((2, 2, 2, 2), np.float16)
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[2:4, 3:5, 4] = 3  # half of the first block of 2 x 2 x 2
    labels[9, 10, 11] = 1
    labels[0, 0, 0] = 2  # outside
    mask = TaskFeatures(maps, seen, "ab").mask(labels)
    assert mask.shape == (4, 8, 8, 8)
    np.testing.assert_allclose(mask.sum(axis=0), 1)
    assert mask[3, 0, 0, 0] == pytest.approx(0.5)
    assert mask[1, 3, 3, 3] == pytest.approx(1 / 8)
    assert mask[2].sum() == 0
    assert mask[1:, 4:].sum() == 0


def test_features_and_masks_of_others_are_refused(pack: ModelPack, tmp_path: Path) -> None:
    features = features_of(pack)
    other = write_multitask_pack(tmp_path / "other", settings_of(evidence=["none"]))
    with pytest.raises(ValueError, match="another model pack"):
        TaskReader(other).read(features, tumour())
    with pytest.raises(ValueError, match=r"\(3, 3, 3\)"):
        TaskReader(pack).read(features, np.zeros((3, 3, 3), np.uint8))


def test_the_seam_for_repeated_heads(pack: ModelPack) -> None:
    """What `monte_carlo` needs: the network, and the vector that its heads read."""
    from gliomaai_training.inference.monte_carlo import dropout_logits, task_samples

    features, reader = features_of(pack), TaskReader(pack)
    vector = reader.vector(features, tumour())
    assert isinstance(reader.network, MultiTaskNetwork)
    assert not reader.network.training
    with torch.inference_mode():
        logits = dropout_logits(reader.network, vector[None], 5, torch.Generator().manual_seed(1))
    samples = task_samples(logits)
    assert samples.probabilities["state"].shape == (5, 1, 7)


# Coherence


def test_marginals_fit_together() -> None:
    draw = np.random.default_rng(1)
    names = ("GBM", "A2", "A3", "A4", "O2", "O3", "NEC")
    for chances in draw.dirichlet(np.full(7, 0.3), 200):
        states = dict(zip(names, chances.tolist(), strict=True))
        told = state_marginals(states)
        assert told["codeleted_1p19q"] <= told["idh_mutant"] + 1e-12
        assert told["idh_mutant"] == pytest.approx(1 - states["GBM"] - states["NEC"])
        grades = sum(told[f"grade_{grade}"] for grade in (2, 3, 4))
        assert grades == pytest.approx(1 - states["NEC"])


# Survival


def test_a_log_risk_becomes_a_curve() -> None:
    draw = np.random.default_rng(3)
    risk = draw.normal(1.0, 2.0, 500)
    death = draw.exponential(30 / np.exp(0.5 * (risk - 1.0)))
    left = draw.uniform(5, 100, 500)
    followed = Outcome(np.minimum(death, left), np.asarray(death <= left))
    model = log_risk_model(risk, followed, "drawn patients")
    assert model.coefficients[0] == pytest.approx(0.5, abs=0.08)  # the slope that was put in
    middle, worse = (predict(model, {LOG_RISK: value}) for value in (1.0, 3.0))
    at = middle.landmarks[12.0], worse.landmarks[12.0]
    assert at[0] is not None
    assert at[1] is not None
    assert at[0][0] == pytest.approx(np.exp(-12 / 30), abs=0.05)
    assert at[1][0] == pytest.approx(np.exp(-12 / 30 * np.exp(1.0)), abs=0.06)
    assert predict(model, {LOG_RISK: 99.0}).extrapolated


@pytest.mark.parametrize(
    ("risk", "words"),
    [([1.0, 2.0], "needs 3"), ([1.0, np.nan, 2.0], "finite"), ([1.0, 1.0, 1.0], "constant")],
)
def test_impossible_log_risks_are_refused(risk: list[float], words: str) -> None:
    followed = Outcome(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    with pytest.raises(ValueError, match=words):
        log_risk_model(risk, followed, "three")


# Settings


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in settings_of().items() if key != name}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no cohort": (without("cohort"), "'cohort' is missing"),
    "no network": (without("network"), "'network' is missing"),
    "cohort without size": (settings_of(cohort={"words": "x", "simulated_only": True}), "patients"),
    "cohort with more": (settings_of(cohort={**COHORT, "site": "x"}), "site"),
    "another network": (
        settings_of(network={"architecture": "segmentation", "tasks": []}), "architecture",
    ),
    "no heads": (settings_of(network={**UNIFIED, "tasks": []}, survival=None), "tasks is empty"),
    "unknown head": (settings_of(network={**UNIFIED, "tasks": ["mgmt"]}), "tasks.0"),
    "temperature of no head": (
        settings_of(calibration={"tasks": {"idh": 2.0}}), "calibration.tasks names idh",
    ),
    "temperature of the risk": (
        settings_of(calibration={"tasks": {"risk": 2.0}}), "calibration.tasks names risk",
    ),
    "cold": (settings_of(calibration={"tasks": {"state": 0.0}}), "state is 0.0, not above 0"),
    "temperature in words": (settings_of(calibration={"tasks": {"state": "hot"}}), "hot"),
    "survival without a risk head": (
        settings_of(APART, survival=settings_of()["survival"]), "no risk head",
    ),
    "survival of something else": (settings_of(survival={"format": "x"}), "survival: needs"),
    "survival in words": (settings_of(survival="long"), "survival is str"),
    "evidence in one piece": (settings_of(evidence="good"), "evidence is a list"),
    "coarse": (settings_of(voxel_mm="wide"), "wide"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_say_what_is_wrong(pack: ModelPack, name: str) -> None:
    settings, words = WRONG[name]
    with pytest.raises(ModelPackError, match=words):
        Predictor(replace(pack, settings=settings), CPU)


def test_survival_that_falls_with_the_risk_is_refused(pack: ModelPack) -> None:
    document = settings_of()["survival"]
    document["coefficients"] = [-0.3]
    with pytest.raises(ModelPackError, match="does not rise with the risk"):
        TaskReader(replace(pack, settings=settings_of(survival=document)))


def test_weights_of_another_network_are_refused(pack: ModelPack) -> None:
    other = settings_of(network={**UNIFIED, "hidden_width": 9})
    with pytest.raises(ModelPackError, match="do not fit"):
        Predictor(replace(pack, settings=other), CPU).predict(make_prepared())


def test_a_segmentation_pack_has_no_features(tmp_path: Path) -> None:
    from test_inference_predictor import make_pack

    prediction = Predictor(make_pack(tmp_path), CPU).predict(make_prepared())
    assert prediction.features is None
    assert prediction.no_features == ""
