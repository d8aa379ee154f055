"""A study explained by its pack: what is explained is what is answered, and nothing is made up."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from multitask_makers import APART, UNIFIED, settings_of, write_multitask_pack
from numpy.typing import NDArray

from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPackError
from gliomaai_training.inference.multitask_pack import MultiTaskSettings
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.task_features import TaskFeatures
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.interpretation.explanations import StudyExplanation
from gliomaai_training.interpretation.study import (
    CHECK,
    IMPORTANCE,
    SALIENCY,
    ExplainConfig,
    explain_study,
)
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.progress import Cancelled, Progress, silent
from gliomaai_training.vocabulary import SEQUENCES, Label

CPU = EngineConfig(device="cpu", engine="torch", precision="fp32", threads=1)
QUICK = ExplainConfig(CPU, steps=4)
PRIOR = {"idh:mutant": 0.3, "codeletion_1p19q:co-deleted": 0.1, "grade:4": 0.7, "risk": 0.1}
SMALL = {**UNIFIED, "tasks": ["state", "risk"]}


@cache
def prepared(sequences: tuple[str, ...] = SEQUENCES) -> Prepared:
    """A round brain of noise."""
    size = (26, 30, 28)
    grid = Grid(size, (1.0, 1.0, 1.0), (5.0, -3.0, 2.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    place = np.indices(size[::-1]) - np.array([13.5, 14.5, 12.5])[:, None, None, None]
    brain = (place**2).sum(0) < 11.5**2
    draw = np.random.default_rng(3)
    images = {
        name: grid.image(draw.normal(100, 20, brain.shape).astype(np.float32) * brain)
        for name in SEQUENCES
    }
    return Prepared(
        sequences={name: images[name] for name in sequences},
        brain_mask=grid.image(brain.astype(np.uint8)),
        reference=sequences[0],
        native_grids=dict.fromkeys(sequences, grid),
        to_native={name: sitk.Transform(3, sitk.sitkIdentity) for name in sequences},
        findings=(),
        steps={},
    )


def drawn() -> NDArray[np.uint8]:
    labels = np.zeros((28, 30, 26), np.uint8)
    labels[10:17, 12:19, 10:16] = Label.ED
    labels[12:15, 13:17, 11:15] = Label.ET
    return labels


def reader_of(folder: Path, **settings: Any) -> TaskReader:
    given = {"voxel_mm": 2.0, "prior": PRIOR, **settings}
    return TaskReader(write_multitask_pack(folder / "pack", settings_of(SMALL, **given)))


def features_of(reader: TaskReader, study: Prepared) -> TaskFeatures:
    features = Predictor(reader.pack, CPU).predict(study).features
    assert features is not None
    return features


def explained(
    reader: TaskReader,
    study: Prepared,
    config: ExplainConfig = QUICK,
    progress: Progress = silent,
    labels: NDArray[np.uint8] | None = None,
) -> StudyExplanation:
    mask = drawn() if labels is None else labels
    return explain_study(reader, study, features_of(reader, study), mask, config, progress)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TaskReader:
    return reader_of(tmp_path_factory.mktemp("packs"), calibration={"tasks": {"state": 1.5}})


@pytest.fixture(scope="module")
def told(reader: TaskReader) -> StudyExplanation:
    return explained(reader, prepared())


def test_what_is_explained_is_what_is_answered(reader: TaskReader, told: StudyExplanation) -> None:
    read = reader.read(features_of(reader, prepared()), drawn())
    states = read.probabilities["state"]
    found = {one.target.name: one for one in told.answers}
    assert list(found) == list(PRIOR)
    mutant = sum(states[name] for name in ("A2", "A3", "A4", "O2", "O3"))
    assert found["idh:mutant"].probability == pytest.approx(mutant, abs=2e-3)
    assert found["risk"].probability is None
    assert found["risk"].output == pytest.approx(read.log_risk, abs=2e-3)
    for one in told.answers:
        assert one.importances
        for importance in one.importances:
            assert set(importance.values) == set(SEQUENCES)
            step = importance.full - importance.empty
            assert sum(importance.values.values()) == pytest.approx(step, abs=1e-5)
    assert found["idh:mutant"].importances[1].empty == pytest.approx(0.3)
    assert found["idh:mutant"].importances[1].full == pytest.approx(mutant, abs=2e-3)


def test_a_map_is_a_density_of_the_brain_that_adds_up(told: StudyExplanation) -> None:
    study = prepared()
    brain = sitk.GetArrayFromImage(study.brain_mask) > 0
    shown = [one.saliency for one in told.answers if one.saliency is not None]
    assert shown
    for saliency in shown:
        assert Grid.of(saliency.image).matches(study.grid)
        density = sitk.GetArrayFromImage(saliency.image)
        assert density.any()
        assert not density[~brain].any()
        assert 0 < saliency.inside_tumour < 1
    # Smoothing and resampling move what lies at the edge, but little of the whole.
    totals = [float(sitk.GetArrayFromImage(s.image).sum()) * study.grid.voxel_ml for s in shown]
    sums = [saliency.step - saliency.gap for saliency in shown]
    assert np.corrcoef(totals, sums)[0, 1] > 0.9


def test_the_network_of_the_reader_stays_as_it_was(
    reader: TaskReader, told: StudyExplanation
) -> None:
    assert all(one.requires_grad for one in reader.network.parameters())
    assert told.device == "cpu"
    assert told.pack_sha256 == reader.pack.sha256
    assert told.smoothing_mm == 2.0


def test_another_outline_is_another_answer(reader: TaskReader, told: StudyExplanation) -> None:
    larger = drawn()
    larger[5:20, 8:22, 8:18] = Label.ET
    again = explained(reader, prepared(), labels=larger)
    assert again.answers[0].output != pytest.approx(told.answers[0].output, abs=1e-4)


def test_one_sequence_is_the_whole_step(reader: TaskReader) -> None:
    found = explained(reader, prepared(("flair",)))
    assert found.sequences == ("flair",)
    for one in found.answers:
        for importance in one.importances:
            assert importance.values == {"flair": pytest.approx(importance.full - importance.empty)}


def test_a_network_that_learnt_nothing_has_no_map(tmp_path: Path) -> None:
    settings = settings_of(SMALL, voxel_mm=2.0, prior=PRIOR)
    generator = torch.Generator().manual_seed(QUICK.seed)
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    weights: Mapping[str, torch.Tensor] = build_network(settings["network"]).state_dict()
    unlearnt = TaskReader(write_multitask_pack(tmp_path / "unlearnt", settings, weights))
    for one in explained(unlearnt, prepared()).answers:
        assert one.check is not None
        assert not one.check.passes
        assert one.check.values > 0.9
        assert one.saliency is None
        assert one.importances


def test_a_map_that_is_the_same_everywhere_is_none(tmp_path: Path) -> None:
    network = {**SMALL, "tasks": ["risk"]}
    settings = settings_of(network, voxel_mm=2.0, prior={"risk": 0.0})
    shape = build_network(network).state_dict()["heads.risk.2.weight"].shape
    first = {"heads.risk.2.weight": torch.zeros(shape)}
    blind = TaskReader(write_multitask_pack(tmp_path / "blind", settings, first))
    (answer,) = explained(blind, prepared()).answers
    assert (answer.check, answer.saliency) == (None, None)
    assert len({round(value, 6) for value in answer.importances[0].values.values()}) == 1


def test_without_a_prior_no_importance_is_told(tmp_path: Path) -> None:
    settings = settings_of({**SMALL, "tasks": ["risk"]}, voxel_mm=2.0)
    bare = TaskReader(write_multitask_pack(tmp_path / "bare", settings))
    (answer,) = explained(bare, prepared()).answers
    assert answer.importances == ()
    assert answer.check is not None


def test_stages_are_told_in_order_and_cancel_stops(reader: TaskReader) -> None:
    heard: list[tuple[str, float]] = []
    explained(reader, prepared(), progress=lambda stage, part: heard.append((stage, part)))
    stages = list(dict.fromkeys(stage for stage, _ in heard))
    assert stages == [IMPORTANCE, SALIENCY, CHECK]
    for stage in stages:
        parts = [part for name, part in heard if name == stage]
        assert parts == sorted(parts)
        assert (parts[0], parts[-1]) == (0.0, 1.0)

    def stop(stage: str, part: float) -> None:
        if stage == CHECK:
            raise Cancelled

    with pytest.raises(Cancelled):
        explained(reader, prepared(), progress=stop)


def test_what_does_not_fit_is_refused(reader: TaskReader, tmp_path: Path) -> None:
    study = prepared()
    with pytest.raises(ValueError, match="no tumour is drawn"):
        explained(reader, study, labels=np.zeros_like(drawn()))
    with pytest.raises(ValueError, match="labels of shape"):
        explained(reader, study, labels=drawn()[:-1])
    other = reader_of(tmp_path, voxel_mm=1.0)
    with pytest.raises(ValueError, match="another model pack"):
        explain_study(other, study, features_of(reader, study), drawn(), QUICK)
    small = replace(QUICK, engine=replace(CPU, max_voxels=100))
    features = features_of(reader, study)
    with pytest.raises(ValueError, match="too large to explain"):
        explain_study(reader, study, features, drawn(), small)


def test_too_little_memory_is_said(reader: TaskReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("gliomaai_training.interpretation.study._importances", fail)
    with pytest.raises(MemoryError, match="not enough memory to explain"):
        explained(reader, prepared())


@pytest.mark.parametrize(
    ("network", "prior", "words"),
    [
        (SMALL, {"idh": 0.3}, "prior names idh"),
        (SMALL, {"histology:glioblastoma": 0.3}, "prior names histology"),
        (SMALL, {"grade:4": 1.0}, "prior.grade:4 is 1.0"),
        (SMALL, {"risk": float("inf")}, "finite log-risk"),
        (APART, {"risk": 0.0}, "prior names risk"),
    ],
)
def test_a_wrong_prior_is_refused(
    tmp_path: Path, network: Mapping[str, Any], prior: Mapping[str, float], words: str
) -> None:
    pack = write_multitask_pack(tmp_path / "wrong", settings_of(network, prior=prior))
    with pytest.raises(ModelPackError, match=words):
        MultiTaskSettings.of(pack)
