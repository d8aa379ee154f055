"""Saliency maps in a real MRML scene: laid over the images, replaced, saved, taken away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_app
import scene_makers as makers
from mrml_makers import node_count, result
from vtk.util.numpy_support import vtk_to_numpy

from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import layout
from GliomaAILib.scene.arrays import array_of, to_world, voxels
from GliomaAILib.scene.case_node import (
    SALIENCY,
    case_nodes,
    create_case,
    nodes_of,
    referenced,
    remove_case,
)
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import NOTHING_SALIENT, SaliencyMap, SceneError
from GliomaAILib.scene.views import CaseViews

COLOUR_TABLE = "vtkMRMLColorTableNode"


def a_map(answer: str, words: str, matrix: Any, shape: tuple[int, ...] = makers.SHAPE) -> Any:
    """Against on the lower half, for on the upper one, nothing in the first slice."""
    array = np.full(shape, NOTHING_SALIENT, np.uint8)
    array[1:5], array[5:] = 10, 250
    return SaliencyMap(answer, words, RawVolume(array, matrix))


@pytest.fixture
def shown(case: MRMLCaseScene) -> MRMLCaseScene:
    """A case with a result and two maps."""
    given = result(case)
    makers.in_turns(case.show(given))
    makers.in_turns(case.show_saliency(maps_on(given.labels)))
    return case


def maps_on(labels: RawVolume) -> list[SaliencyMap]:
    matrix = labels.ijk_to_ras
    return [a_map("idh:mutant", "IDH mutant", matrix), a_map("risk", "risk", matrix)]


def test_maps_lie_on_the_reference_and_are_no_sequences(shown: MRMLCaseScene) -> None:
    first, second = referenced(shown.node, SALIENCY)
    assert first.GetName().endswith("saliency, IDH mutant")
    assert first.GetHideFromEditors()
    assert [volume.name for volume in shown.volumes()] == ["T1Gd"]
    assert voxels(second.GetImageData())[6, 0, 0] == 250
    import vtk

    matrices = []
    for node in (first, shown.reference):
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        matrices.append(to_world(node) @ array_of(matrix))
    np.testing.assert_allclose(*matrices, atol=1e-9)


def test_nothing_is_clear_and_both_sides_have_their_colour(shown: MRMLCaseScene) -> None:
    display = referenced(shown.node, SALIENCY)[0].GetDisplayNode()
    display.UpdateImageDataPipeline()
    source = display.GetImageDataConnection()
    source.GetProducer().Update()
    image = source.GetProducer().GetOutputDataObject(source.GetIndex())
    seen = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(*makers.SHAPE, 4)
    nothing, against, for_ = (seen[k, 0, 0].astype(int) for k in (0, 2, 7))
    assert nothing[3] == 0
    assert (against[3], for_[3]) == (255, 255)
    assert against[2] > against[0]
    assert for_[0] > for_[2]


@pytest.fixture
def app() -> Iterator[scene_app.HeadlessApp]:
    app = scene_app.start()
    yield app
    app.scene.Clear(True)


def test_one_overlay_at_a_time(app: scene_app.HeadlessApp) -> None:
    case = MRMLCaseScene(create_case(app.scene))
    given = result(case)
    makers.in_turns(case.show(given))
    makers.in_turns(case.show_saliency(maps_on(given.labels)))
    logic = scene_app.add_layout(app)
    views = CaseViews(case.node)
    layout.layout_node(app.scene).SetViewArrangement(layout.SEQUENCES_LAYOUT)
    scene_app.add_slice_logics(app)
    assert views.show_layout()
    assert views.saliency == ""
    views.uncertainty = True
    views.saliency = "risk"
    assert (views.saliency, views.uncertainty) == ("risk", False)
    views.saliency = "idh:mutant"
    assert views.saliency == "idh:mutant"
    views.saliency = "unknown"
    assert views.saliency == ""
    views.saliency = "risk"
    views.uncertainty = True
    assert (views.saliency, views.uncertainty) == ("", True)
    views.saliency = "risk"
    case.remove_saliency()
    assert views.saliency == ""
    composites = layout.composite_nodes(app.scene).values()
    assert {one.GetForegroundVolumeID() for one in composites} == {None}
    logic.SetMRMLScene(None)


def test_new_maps_replace_old_ones_and_a_new_result_takes_them_away(
    shown: MRMLCaseScene, scene: Any
) -> None:
    before = node_count(scene)
    makers.in_turns(shown.show_saliency(maps_on(shown.mask())))
    assert node_count(scene) == before
    assert len(colour_tables(scene)) == 1
    makers.in_turns(shown.show_saliency(maps_on(shown.mask())[:1]))
    assert len(referenced(shown.node, SALIENCY)) == 1
    makers.in_turns(shown.show(result(shown)))
    assert referenced(shown.node, SALIENCY) == ()


def colour_tables(scene: Any) -> list[Any]:
    return [n for n in nodes_of(scene, COLOUR_TABLE) if n.GetName() == "GliomaAI saliency"]


def test_a_showing_that_is_stopped_leaves_the_scene_as_it_was(
    shown: MRMLCaseScene, scene: Any
) -> None:
    before = node_count(scene), referenced(shown.node, SALIENCY)
    turns = shown.show_saliency(maps_on(shown.mask()))
    work = next(turns)
    work()
    turns.send(None)
    turns.close()
    assert (node_count(scene), referenced(shown.node, SALIENCY)) == before


def test_maps_without_a_result_or_of_another_grid_are_refused(
    case: MRMLCaseScene, scene: Any
) -> None:
    with pytest.raises(SceneError, match="run the analysis first"):
        makers.in_turns(case.show_saliency([]))
    makers.in_turns(case.show(result(case)))
    before = node_count(scene)
    other = a_map("risk", "risk", np.eye(4), (10, 3, 4))
    with pytest.raises(SceneError):
        makers.in_turns(case.show_saliency([other]))
    assert node_count(scene) == before


def test_a_saved_scene_has_its_maps_with_their_colours(
    shown: MRMLCaseScene, scene: Any, tmp_path: Path
) -> None:
    (file,) = shown.export(tmp_path, ["mrb"])
    scene.Clear(False)
    assert scene.ReadFromMRB(str(file), True)
    (node,) = case_nodes(scene)
    first, second = referenced(node, SALIENCY)
    assert first.GetAttribute("GliomaAI.answer") == "idh:mutant"
    table = second.GetDisplayNode().GetColorNode()
    assert table.GetName() == "GliomaAI saliency"
    colour = [0.0] * 4
    table.GetColor(NOTHING_SALIENT, colour)
    assert colour[3] == 0
    table.GetColor(250, colour)
    assert colour[3] == 1
    assert colour[0] > colour[2]
    loaded = MRMLCaseScene(node)
    makers.in_turns(loaded.show_saliency(maps_on(loaded.mask())))
    assert len(colour_tables(scene)) == 1


def test_a_removed_case_takes_its_maps_with_it(shown: MRMLCaseScene, scene: Any) -> None:
    nodes = referenced(shown.node, SALIENCY)
    remove_case(shown.node)
    assert not any(scene.IsNodePresent(node) for node in nodes)
