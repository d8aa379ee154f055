"""How a case is looked at: layout, linked views, key images, overlays; with views and without."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_app
import scene_makers as makers

from gliomaai_training.vocabulary import SEQUENCES, Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import layout
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    UNCERTAINTY,
    create_case,
    nodes_of,
    referenced,
)
from GliomaAILib.scene.key_points import key_point
from GliomaAILib.scene.label_maps import PlacedLabels, placed_labels
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import CaseRecord, Diameter, Result
from GliomaAILib.scene.views import CaseViews

STRAIGHT = np.array([[-1.0, 0, 0, 60], [0, -1, 0, 70], [0, 0, 2, -30], [0, 0, 0, 1]])


@pytest.fixture
def app() -> Iterator[scene_app.HeadlessApp]:
    app = scene_app.start()
    yield app
    app.scene.Clear(True)


@pytest.fixture
def case(app: scene_app.HeadlessApp) -> MRMLCaseScene:
    """A case with four sequences and a result on the second."""
    case = MRMLCaseScene(create_case(app.scene))
    ids = {
        name: makers.in_turns(case.add_volume(name, makers.image_volume(STRAIGHT)))
        for name in SEQUENCES
    }
    case.keep(CaseRecord(sequences=ids))
    uncertainty = RawVolume(np.full(makers.SHAPE, 60, np.uint8), STRAIGHT)
    labels = RawVolume(makers.labels(), STRAIGHT)
    line = Diameter("Longest diameter 9 mm", ((50.0, 60.0, -20.0), (59.0, 60.0, -20.0)))
    makers.in_turns(case.show(Result(ids["t1gd"], labels, uncertainty, [line])))
    return case


@pytest.fixture
def views(app: scene_app.HeadlessApp, case: MRMLCaseScene) -> Iterator[CaseViews]:
    """With a window: a layout, and a logic for each of its slice views."""
    logic = scene_app.add_layout(app)
    views = CaseViews(case.node)
    layout.layout_node(app.scene).SetViewArrangement(layout.SEQUENCES_LAYOUT)
    scene_app.add_slice_logics(app)
    assert views.show_layout()
    yield views
    logic.SetMRMLScene(None)


@pytest.mark.parametrize("with_3d", [False, True])
def test_the_layout_has_a_view_for_each_sequence(with_3d: bool) -> None:
    root = ElementTree.fromstring(layout.description(with_3d))
    found = [(view.get("class"), view.get("singletontag")) for view in root.iter("view")]
    expected = [("vtkMRMLSliceNode", f"GliomaAI-{name}") for name in SEQUENCES]
    assert found == expected + [("vtkMRMLViewNode", "GliomaAI-3D")] * with_3d


def test_the_layout_makes_the_views(app: scene_app.HeadlessApp, views: CaseViews) -> None:
    nodes = layout.slice_nodes(app.scene)
    assert tuple(nodes) == SEQUENCES
    assert {node.GetViewGroup() for node in nodes.values()} == {layout.VIEW_GROUP}
    assert {node.GetOrientation() for node in nodes.values()} == {"Axial"}
    assert views.show_layout(with_3d=True)
    names = [node.GetLayoutName() for node in nodes_of(app.scene, "vtkMRMLViewNode")]
    assert layout.VIEW_3D in names


def test_each_view_shows_its_sequence_linked_and_fitted(
    app: scene_app.HeadlessApp, case: MRMLCaseScene, views: CaseViews
) -> None:
    assert views.shown_sequences() == case.record().sequences
    composites = layout.composite_nodes(app.scene)
    assert all(one.GetLinkedControl() and one.GetHotLinkedControl() for one in composites.values())
    nodes = layout.slice_nodes(app.scene)
    matrices = [makers.matrix_text(node.GetSliceToRAS()) for node in nodes.values()]
    assert len(set(matrices)) == 1
    assert {node.GetFieldOfView() for node in nodes.values()} == {nodes["t1gd"].GetFieldOfView()}
    width, height, _ = nodes["t1gd"].GetFieldOfView()
    assert 12 <= min(width, height) < 30


def test_a_sequence_that_is_not_chosen_leaves_its_view_empty(
    case: MRMLCaseScene, views: CaseViews
) -> None:
    chosen = dict(case.record().sequences)
    del chosen["t2"]
    case.keep(CaseRecord(sequences=chosen))
    views.show_sequences()
    assert views.shown_sequences() == chosen


def test_a_layout_that_slicer_forgot_is_made_again(
    app: scene_app.HeadlessApp, case: MRMLCaseScene
) -> None:
    logic = scene_app.add_layout(app)
    assert CaseViews(case.node).show_layout()
    assert CaseViews(case.node).show_layout()
    node = layout.layout_node(app.scene)
    assert node.GetViewArrangement() == layout.SEQUENCES_LAYOUT
    logic.SetMRMLScene(None)


# Key images.


def test_the_key_point_is_the_middle_of_the_largest_cut() -> None:
    array = np.zeros((8, 9, 10), np.uint8)
    array[2, 3:5, 4:6] = Label.ED
    array[5, 2:8, 1:8] = Label.ED
    array[6, 3, 3] = Label.ET
    placed = PlacedLabels((slice(0, 8), slice(0, 9), slice(0, 10)), array, (8, 9, 10), STRAIGHT)
    assert key_point(placed, "axial") == (60 - 4, 70 - 4.5, -30 + 10)
    assert key_point(placed, "axial", "ET") == (57, 67, -18)
    assert key_point(placed, "sagittal", "ET") == (57, 67, -18)
    assert key_point(placed, "coronal", "NCR") is None
    with pytest.raises(ValueError, match="oblique"):
        key_point(placed, "oblique")
    with pytest.raises(ValueError, match="XX"):
        key_point(placed, "axial", "XX")


def test_on_an_oblique_grid_cuts_are_anatomical() -> None:
    """A rod along S, on a turned grid: every axial cut is small, the sagittal one is large."""
    matrix = makers.oblique(0.4)
    ijk = np.argwhere(np.ones((40, 40, 20)))
    ras = ijk @ matrix[:3, :3].T + matrix[:3, 3]
    middle = ras.mean(axis=0)
    rod = (np.abs(ras[:, :2] - middle[:2]) < 4).all(axis=1)
    array = np.zeros((20, 40, 40), np.uint8)
    i, j, k = ijk[rod].T
    array[k, j, i] = Label.ED
    placed = PlacedLabels((slice(0, 20), slice(0, 40), slice(0, 40)), array, array.shape, matrix)
    point = key_point(placed, "sagittal")
    assert point is not None
    assert abs(point[0] - middle[0]) < 4
    assert abs(point[2] - middle[2]) < 6


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_tour_turns_our_views_and_moves_all(
    app: scene_app.HeadlessApp, case: MRMLCaseScene, views: CaseViews, plane: str
) -> None:
    red = app.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    red.SetLayoutName("Red")
    red.SetOrientation("Coronal")
    point = key_point(placed_labels(case.segmentation), plane, "TC")
    assert point is not None
    assert views.show_key_image(plane, "TC")
    axis = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    for node in layout.slice_nodes(app.scene).values():
        assert node.GetOrientation() == plane.capitalize()
        assert node.GetSliceToRAS().GetElement(axis, 3) == pytest.approx(point[axis], abs=1e-6)
    assert red.GetOrientation() == "Coronal"
    assert red.GetSliceToRAS().GetElement(1, 3) == pytest.approx(point[1], abs=1e-6)


def test_there_is_no_key_image_of_what_is_not_there(case: MRMLCaseScene, views: CaseViews) -> None:
    empty = RawVolume(np.zeros(makers.SHAPE, np.uint8), STRAIGHT)
    makers.in_turns(case.show(Result(case.reference.GetID(), empty, empty, ())))
    assert not views.show_key_image("axial")
    with pytest.raises(ValueError, match="upside down"):
        views.set_plane("upside down")


# Display.


def test_fill_outline_and_classes_are_controlled(case: MRMLCaseScene, views: CaseViews) -> None:
    display = case.segmentation.GetDisplayNode()
    views.fill_opacity = 0.25
    assert (views.fill_opacity, display.GetOpacity2DFill()) == (0.25, 0.25)
    views.fill_opacity = 7
    assert views.fill_opacity == 1.0
    views.outline = False
    assert not views.outline
    assert not display.GetVisibility2DOutline()
    views.tumour = False
    assert not views.tumour
    views.set_class_shown(Label.ED, False)
    assert [views.class_shown(label) for label in (Label.NCR, Label.ED)] == [True, False]
    views.tumour = True
    assert display.GetVisibility()


def test_the_network_s_outline_can_be_compared(case: MRMLCaseScene, views: CaseViews) -> None:
    assert not views.network_outline
    views.network_outline = True
    display = referenced(case.node, NETWORK_SEGMENTATION)[0].GetDisplayNode()
    assert views.network_outline
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    assert not display.GetVisibility3D()
    views.network_outline = False
    assert not display.GetVisibility()


def test_the_surface_is_made_when_asked_for(case: MRMLCaseScene, views: CaseViews) -> None:
    told: list[Any] = []
    case.listen(told.append)
    assert not views.surface
    views.surface = True
    assert views.surface
    assert case.segmentation.GetDisplayNode().GetVisibility3D()
    views.surface = False
    assert not views.surface
    assert told == []


def test_the_uncertainty_is_toggled_and_leaves_other_foregrounds(
    app: scene_app.HeadlessApp, case: MRMLCaseScene, views: CaseViews
) -> None:
    (overlay,) = referenced(case.node, UNCERTAINTY)
    composites = layout.composite_nodes(app.scene)
    assert not views.uncertainty
    views.uncertainty = True
    assert views.uncertainty
    assert {one.GetForegroundVolumeID() for one in composites.values()} == {overlay.GetID()}
    assert all(0 < one.GetForegroundOpacity() < 1 for one in composites.values())
    composites["t2"].SetForegroundVolumeID(case.reference.GetID())
    views.uncertainty = False
    assert not views.uncertainty
    assert composites["t2"].GetForegroundVolumeID() == case.reference.GetID()
    assert composites["t1"].GetForegroundVolumeID() is None
    display = overlay.GetDisplayNode()
    assert display.GetColorNode().GetName() == "Iron"
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 100)
    assert display.GetApplyThreshold()
    assert overlay.GetHideFromEditors()


def test_the_diameters_are_toggled(case: MRMLCaseScene, views: CaseViews) -> None:
    assert views.diameters
    views.diameters = False
    assert not views.diameters
    assert not referenced(case.node, DIAMETER)[0].GetDisplayVisibility()


def test_the_slice_of_the_diameters_is_gone_to(
    app: scene_app.HeadlessApp, case: MRMLCaseScene, views: CaseViews
) -> None:
    views.set_plane("sagittal")
    views.diameters = False
    assert views.show_diameters()
    assert views.diameters
    for node in layout.slice_nodes(app.scene).values():
        assert node.GetOrientation() == "Axial"
        assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(-20)
    case.show_diameters(())
    assert not views.show_diameters()


def test_without_a_window_nothing_fails(case: MRMLCaseScene) -> None:
    views = CaseViews(case.node)
    assert not views.show_layout()
    views.show_sequences()
    views.set_plane("coronal")
    assert views.show_key_image("axial")
    views.uncertainty = True
    assert not views.uncertainty
    assert views.shown_sequences() == {}


def test_without_a_result_nothing_fails(app: scene_app.HeadlessApp) -> None:
    views = CaseViews(create_case(app.scene))
    views.fill_opacity = 0.5
    for name in ("outline", "tumour", "network_outline", "surface", "uncertainty", "diameters"):
        setattr(views, name, True)
        assert not getattr(views, name)
    views.set_class_shown(Label.ET, False)
    assert not views.class_shown(Label.ET)
    assert views.fill_opacity == 0.0
    assert not views.show_key_image("axial")
