"""The tumour's labels as a segmentation in a real MRML scene, edited as the segment editor does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_app
import scene_makers as makers
import slicer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gliomaai_training.vocabulary import Label
from GliomaAILib.output.colours import LABEL_COLOURS, LABEL_WORDS, rgb
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import segmentation, volumes
from GliomaAILib.scene.arrays import matrix_of
from GliomaAILib.scene.export import write_segmentation, write_surfaces
from GliomaAILib.scene.label_maps import LABELS, part_of, placed_labels
from GliomaAILib.scene.port import SceneError


@pytest.fixture(scope="module")
def app() -> scene_app.HeadlessApp:
    return scene_app.start()


@pytest.fixture
def scene(app: scene_app.HeadlessApp) -> Any:
    app.scene.Clear(False)
    return app.scene


@pytest.fixture
def volume(scene: Any) -> Any:
    return makers.add_volume(scene, "T1Gd", makers.image_volume())


@pytest.fixture
def shown(scene: Any, volume: Any) -> Any:
    node = segmentation.add_segmentation(scene, "tumour")
    segmentation.set_labels(node, part_of(makers.labels()), volume)
    return node


def whole(node: Any) -> Any:
    return placed_labels(node).whole()


def test_the_segments_are_named_coloured_and_coded(shown: Any) -> None:
    inside = shown.GetSegmentation()
    assert list(inside.GetSegmentIDs()) == ["NCR", "ED", "ET"]
    assert inside.GetNumberOfLayers() == 1
    for label in LABELS:
        segment = inside.GetSegment(label.name)
        assert segment.GetName() == LABEL_WORDS[label]
        np.testing.assert_allclose(segment.GetColor(), np.array(rgb(LABEL_COLOURS[label])) / 255)
        assert segment.GetTerminology() == segmentation.terminology(label)
    assert "SCT^6574001^Necrosis" in segmentation.terminology(Label.NCR)


def test_the_reference_image_is_set_and_the_label_map_is_cropped(shown: Any, volume: Any) -> None:
    role = shown.GetReferenceImageGeometryReferenceRole()
    assert shown.GetNodeReference(role) is volume
    assert makers.layer_image(shown, Label.ED).GetDimensions() == (7, 9, 7)
    display = shown.GetDisplayNode()
    assert display.GetVisibility2DFill()
    assert display.GetVisibility2DOutline()
    assert 0 < display.GetOpacity2DFill() < 1


@settings(max_examples=25)
@given(
    array=npst.arrays(np.uint8, (4, 5, 6), elements=st.integers(0, 3)),
    angle_rad=st.floats(-3.0, 3.0),
)
def test_labels_on_any_grid_come_back_as_they_were(
    app: scene_app.HeadlessApp, array: Any, angle_rad: float
) -> None:
    matrix = makers.oblique(angle_rad)
    image = RawVolume(np.zeros(array.shape, np.int16), matrix)
    volume = makers.add_volume(app.scene, "T1Gd", image)
    node = segmentation.add_segmentation(app.scene, "tumour")
    segmentation.set_labels(node, part_of(array), volume)

    mask = whole(node)
    np.testing.assert_array_equal(mask.array, array)
    np.testing.assert_allclose(mask.ijk_to_ras, matrix, atol=1e-9)
    app.scene.RemoveNode(node)
    app.scene.RemoveNode(volume)


def test_volumes_are_counted_in_patient_space(shown: Any) -> None:
    counts = np.bincount(makers.labels().ravel())
    voxel_ml = 0.9 * 1.1 * 2.0 / 1000
    found = placed_labels(shown).volumes_ml()
    assert found["NCR"] == pytest.approx(counts[1] * voxel_ml)
    assert found["ED"] == pytest.approx(counts[2] * voxel_ml)
    assert found["TC"] == pytest.approx((counts[1] + counts[3]) * voxel_ml)
    assert found["WT"] == pytest.approx(counts[1:].sum() * voxel_ml)


def test_no_tumour_is_three_empty_segments_that_can_be_painted(
    scene: Any, volume: Any, shown: Any
) -> None:
    segmentation.set_labels(shown, part_of(np.zeros(makers.SHAPE, np.uint8)), volume)
    assert shown.GetSegmentation().GetNumberOfSegments() == 3
    assert whole(shown).array.shape == makers.SHAPE
    assert not whole(shown).array.any()
    assert set(placed_labels(shown).volumes_ml().values()) == {0.0}

    brush = makers.modifier(np.ones((2, 3, 4), np.uint8), (1, 2, 3), makers.oblique())
    makers.paint(makers.editor(scene, shown, volume), Label.ET, brush)
    expected = np.zeros(makers.SHAPE, np.uint8)
    expected[3:5, 2:5, 1:5] = Label.ET
    np.testing.assert_array_equal(whole(shown).array, expected)


def test_painted_classes_exclude_each_other_and_undo_is_exact(
    scene: Any, volume: Any, shown: Any
) -> None:
    logic = makers.editor(scene, shown, volume)
    segmentation.exclusive(logic.GetSegmentEditorNode())
    brush = makers.modifier(np.ones((3, 4, 9), np.uint8), (0, 0, 0), makers.oblique())
    makers.paint(logic, Label.ET, brush)
    expected = makers.labels()
    expected[0:3, 0:4, 0:9] = Label.ET
    np.testing.assert_array_equal(whole(shown).array, expected)
    assert shown.GetSegmentation().GetNumberOfLayers() == 1
    logic.Undo()
    np.testing.assert_array_equal(whole(shown).array, makers.labels())
    logic.Redo()
    np.testing.assert_array_equal(whole(shown).array, expected)


def test_a_copy_restores_the_mask_as_one_step(scene: Any, volume: Any, shown: Any) -> None:
    network = segmentation.add_segmentation(scene, "network", hidden=True)
    segmentation.set_labels(network, part_of(makers.labels()), volume)
    logic = makers.editor(scene, shown, volume)
    segmentation.exclusive(logic.GetSegmentEditorNode())
    brush = makers.modifier(np.ones((3, 4, 9), np.uint8), (0, 0, 0), makers.oblique())
    makers.paint(logic, Label.NCR, brush)
    corrected = whole(shown).array

    logic.SaveStateForUndo()
    segmentation.copy_labels(network, shown)
    np.testing.assert_array_equal(whole(shown).array, makers.labels())
    logic.Undo()
    np.testing.assert_array_equal(whole(shown).array, corrected)
    logic.Redo()
    np.testing.assert_array_equal(whole(shown).array, makers.labels())
    np.testing.assert_array_equal(whole(network).array, makers.labels())


def test_restoring_brings_back_a_deleted_segment_and_leaves_others(
    scene: Any, volume: Any, shown: Any
) -> None:
    network = segmentation.add_segmentation(scene, "network", hidden=True)
    segmentation.set_labels(network, part_of(makers.labels()), volume)
    shown.GetSegmentation().RemoveSegment("ED")
    shown.GetSegmentation().AddEmptySegment("Segment_1", "vessel")
    assert segmentation.other_segments(shown) == ("vessel",)
    assert not (whole(shown).array == Label.ED).any()

    segmentation.copy_labels(network, shown)
    np.testing.assert_array_equal(whole(shown).array, makers.labels())
    assert segmentation.other_segments(shown) == ("vessel",)
    segmentation.set_labels(shown, part_of(makers.labels()), volume)
    assert segmentation.other_segments(shown) == ()


def put(node: Any, name: str, image: Any) -> None:
    """A segment with a label map of its own."""
    segment = slicer.vtkSegment()
    segment.SetName(name)
    representation = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    segment.AddRepresentation(representation, image)
    node.GetSegmentation().RemoveSegment(name)
    node.GetSegmentation().AddSegment(segment, name)


def test_where_layers_overlap_the_stronger_class_wins(shown: Any) -> None:
    matrix = makers.oblique()
    for label, width in ((Label.ET, 2), (Label.NCR, 4), (Label.ED, 6)):
        brush = makers.modifier(np.ones((1, 1, width), np.uint8), (0, 0, 0), matrix)
        put(shown, label.name, brush)
    put(shown, "other", makers.modifier(np.ones((5, 5, 5), np.uint8), (0, 0, 0), matrix))
    assert shown.GetSegmentation().GetNumberOfLayers() == 4
    expected = np.zeros(makers.SHAPE, np.uint8)
    expected[0, 0, :6] = [3, 3, 1, 1, 2, 2]
    np.testing.assert_array_equal(whole(shown).array, expected)


def test_a_label_map_that_reaches_out_of_the_image_is_cut(shown: Any) -> None:
    brush = makers.modifier(np.ones((3, 3, 30), np.uint8), (-5, -1, 8), makers.oblique())
    put(shown, "ET", brush)
    expected = makers.labels()
    expected[expected == Label.ET] = 0
    expected[8:10, 0:2, :] = Label.ET
    np.testing.assert_array_equal(whole(shown).array, expected)


def test_a_label_map_on_another_grid_is_resampled_to_the_nearest(shown: Any) -> None:
    """Half as large voxels along each axis: eight of them in each voxel of the image."""
    finer = makers.oblique() @ np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] -= makers.oblique()[:3, :3] @ [0.25, 0.25, 0.25]
    fine = np.repeat(np.repeat(np.repeat(makers.labels(), 2, 0), 2, 1), 2, 2)
    for label in LABELS:
        image = makers.modifier((fine == label).astype(np.uint8), (0, 0, 0), finer)
        put(shown, label.name, image)
    # Voxel centres of the image lie between eight equal ones.
    np.testing.assert_array_equal(whole(shown).array, makers.labels())


def test_the_mask_follows_its_volume_through_a_linear_transform(
    scene: Any, volume: Any, shown: Any
) -> None:
    move = np.eye(4)
    move[:3, :3] = makers.oblique(0.5)[:3, :3]
    move[:3, 3] = (4, 5, 6)
    transform = makers.add_transform(scene, move)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    segmentation.set_labels(shown, part_of(makers.labels()), volume)

    mask = whole(shown)
    np.testing.assert_array_equal(mask.array, makers.labels())
    assert mask.same_grid(volumes.snapshot(volume))
    np.testing.assert_allclose(mask.ijk_to_ras, move @ makers.oblique(), atol=1e-9)
    transform.SetMatrixTransformToParent(matrix_of(np.eye(4)))
    assert whole(shown).same_grid(volumes.snapshot(volume))


def test_labels_of_another_grid_are_refused(volume: Any, shown: Any) -> None:
    with pytest.raises(SceneError, match="changed meanwhile"):
        segmentation.set_labels(shown, part_of(np.zeros((3, 3, 3), np.uint8)), volume)
    np.testing.assert_array_equal(whole(shown).array, makers.labels())


def test_a_segmentation_that_cannot_be_read_says_what_to_do(scene: Any, shown: Any) -> None:
    warp = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    shown.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(SceneError, match="not linear"):
        placed_labels(shown)
    foreign = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "foreign")
    with pytest.raises(SceneError, match="lost the geometry"):
        placed_labels(foreign)
    shown.SetAndObserveTransformNodeID(None)
    shown.CreateClosedSurfaceRepresentation()
    inside = shown.GetSegmentation()
    inside.SetSourceRepresentationName("Closed surface")
    inside.RemoveRepresentation("Binary labelmap")
    with pytest.raises(SceneError, match="make the binary labelmap"):
        placed_labels(shown)


def test_the_stamp_changes_with_voxels_only(scene: Any, volume: Any, shown: Any) -> None:
    before = segmentation.stamp(shown)
    inside = shown.GetSegmentation()
    inside.GetSegment("ET").SetName("something else")
    inside.GetSegment("ET").SetColor(0, 0, 1)
    shown.CreateClosedSurfaceRepresentation()
    shown.GetDisplayNode().SetOpacity2DFill(0.1)
    assert segmentation.stamp(shown) == before
    brush = makers.modifier(np.ones((1, 1, 1), np.uint8), (0, 0, 0), makers.oblique())
    makers.paint(makers.editor(scene, shown, volume), Label.ET, brush)
    assert segmentation.stamp(shown) != before


def test_a_surface_that_is_shown_follows_new_labels(volume: Any, shown: Any) -> None:
    shown.CreateClosedSurfaceRepresentation()
    name = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    before = shown.GetSegmentation().GetSegment("ED").GetRepresentation(name).GetBounds()
    fewer = makers.labels()
    fewer[:6] = 0
    segmentation.set_labels(shown, part_of(fewer), volume)
    after = shown.GetSegmentation().GetSegment("ED").GetRepresentation(name).GetBounds()
    assert after[5] - after[4] < before[5] - before[4]


# Files.


def test_a_written_segmentation_comes_back_with_its_terms(
    scene: Any, shown: Any, tmp_path: Path
) -> None:
    file = write_segmentation(whole(shown), tmp_path)
    assert file.name == "tumour.seg.nrrd"
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(file))
    assert storage.ReadData(loaded)
    mask = whole(loaded)
    np.testing.assert_array_equal(mask.array, makers.labels())
    np.testing.assert_allclose(mask.ijk_to_ras, makers.oblique(), atol=1e-6)
    for label in LABELS:
        segment = loaded.GetSegmentation().GetSegment(label.name)
        assert segment.GetTerminology() == segmentation.terminology(label)
        assert segment.GetName() == LABEL_WORDS[label]


def test_a_written_empty_segmentation_comes_back_empty(
    scene: Any, shown: Any, tmp_path: Path
) -> None:
    empty = RawVolume(np.zeros(makers.SHAPE, np.uint8), makers.oblique())
    file = write_segmentation(empty, tmp_path)
    assert write_surfaces(empty, tmp_path) == ()
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(file))
    assert storage.ReadData(loaded)
    assert not whole(loaded).array.any()
    assert whole(loaded).array.shape == makers.SHAPE


def test_surfaces_are_written_for_what_is_there_in_lps(shown: Any, tmp_path: Path) -> None:
    mask = whole(shown)
    array = np.where(mask.array == Label.NCR, 0, mask.array)
    files = write_surfaces(RawVolume(array, mask.ijk_to_ras), tmp_path)
    assert [file.name for file in files] == ["tumour_ED.stl", "tumour_ET.stl"]
    reader = slicer.vtkMRMLModelStorageNode()
    model = slicer.vtkMRMLModelNode()
    reader.SetFileName(str(files[0]))
    assert reader.ReadData(model)  # as Slicer reads STL: LPS by default
    bounds = np.reshape(model.GetPolyData().GetBounds(), (3, 2))
    kji = np.argwhere(array == Label.ED)
    points = kji[:, ::-1] @ mask.ijk_to_ras[:3, :3].T + mask.ijk_to_ras[:3, 3]
    np.testing.assert_allclose(bounds.mean(axis=1), (points.min(0) + points.max(0)) / 2, atol=1.0)


def test_a_folder_that_is_not_there_is_told(shown: Any, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"tumour\.seg\.nrrd cannot be written"):
        write_segmentation(whole(shown), tmp_path / "none")
    with pytest.raises(SceneError, match=r"stl cannot be written"):
        write_surfaces(whole(shown), tmp_path / "none")
