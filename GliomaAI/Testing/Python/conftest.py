"""Fixtures of the clinic's tests. Each imports what it needs when it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from review_desk import Desk
    from scene_app import HeadlessApp

    from GliomaAILib.assessment.assessment import Assessment
    from GliomaAILib.assessment.estimate import EstimateModels
    from GliomaAILib.scene.mrml_scene import MRMLCaseScene
    from GliomaAILib.scene.port import SceneChange


@pytest.fixture
def desk(tmp_path: Path) -> "Iterator[Desk]":
    """A review with a scene of four volumes and a worker, none of them real."""
    from review_desk import Desk

    desk = Desk(tmp_path)
    yield desk
    desk.review.close()


@pytest.fixture(scope="session")
def bare() -> "Assessment":
    """A case that was measured and not estimated."""
    from assessment_makers import template_assessment

    return template_assessment()


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of made-up packs of diagnosis and prognosis."""
    from estimate_makers import write_packs

    folder = tmp_path_factory.mktemp("packs")
    write_packs(folder)
    return folder


@pytest.fixture(scope="session")
def models(packs: Path) -> "EstimateModels":
    """The models of those packs."""
    from gliomaai_training.inference.statistical_packs import (
        load_diagnosis_pack,
        load_prognosis_pack,
    )
    from GliomaAILib.assessment.estimate import EstimateModels

    return EstimateModels(
        load_diagnosis_pack(packs / "diagnosis"), load_prognosis_pack(packs / "prognosis")
    )


@pytest.fixture
def installed(packs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of those packs, which the clinic searches first."""
    from GliomaAILib.models import MODELS_VARIABLE

    monkeypatch.setenv(MODELS_VARIABLE, str(packs))
    return packs


@pytest.fixture(scope="module")
def started() -> "HeadlessApp":
    """Slicer without its window; a module of tests may start one of its own."""
    import scene_app

    return scene_app.start()


@pytest.fixture
def app(started: "HeadlessApp") -> "Iterator[HeadlessApp]":
    """The same, whose scene is empty afterwards."""
    yield started
    started.scene.Clear(False)


@pytest.fixture
def scene(app: "HeadlessApp") -> Any:
    """An empty scene."""
    return app.scene


@pytest.fixture
def case(scene: Any) -> "MRMLCaseScene":
    """A case in it."""
    from GliomaAILib.scene.case_node import create_case
    from GliomaAILib.scene.mrml_scene import MRMLCaseScene

    return MRMLCaseScene(create_case(scene))


@pytest.fixture
def told(case: "MRMLCaseScene") -> "list[SceneChange]":
    """What the case tells of what others do."""
    changes: list[SceneChange] = []
    case.listen(changes.append)
    return changes
