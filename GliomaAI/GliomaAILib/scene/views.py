"""How a case is looked at: what a panel calls directly, without a review in between.

Everything here works as far as there are views: without a window, or with another layout, what is
not there is left out.
"""

from typing import Any

import slicer

from gliomaai_training.vocabulary import SEQUENCES, Label, reference_sequence
from GliomaAILib.scene import layout
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    SALIENCY,
    SEGMENTATION,
    UNCERTAINTY,
    nodes_of,
    read_record,
    referenced,
)
from GliomaAILib.scene.diameters import show_lines
from GliomaAILib.scene.key_points import PLANE_AXES, key_point
from GliomaAILib.scene.label_maps import placed_labels
from GliomaAILib.scene.overlay import overlay_shown, show_overlay
from GliomaAILib.scene.port import Point
from GliomaAILib.scene.saliency import show_answer, shown_answer


class CaseViews:
    """The views of one case."""

    def __init__(self, case: Any, application_logic: Any = None) -> None:
        """Makes our layouts known; shows nothing yet.

        Args:
            case: the case's node.
            application_logic: of the slice views; by default Slicer's own.
        """
        self._case, self._scene, self._logic = case, case.GetScene(), application_logic
        layout.register_layouts(self._scene)

    # Sequences.

    def show_layout(self, with_3d: bool = False) -> bool:
        """Shows the four sequences side by side; False where there is no layout to choose."""
        if not layout.register_layouts(self._scene):
            return False
        number = layout.SEQUENCES_3D_LAYOUT if with_3d else layout.SEQUENCES_LAYOUT
        layout.layout_node(self._scene).SetViewArrangement(number)
        self.show_sequences()
        return True

    def show_sequences(self) -> None:
        """Puts each chosen sequence into its view and links and fits the views."""
        chosen = read_record(self._case).sequences
        for name, composite in layout.composite_nodes(self._scene).items():
            composite.SetBackgroundVolumeID(chosen.get(name))
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
        self.fit()

    def fit(self) -> None:
        """Makes all four views show the whole reference sequence, in one plane."""
        nodes = layout.slice_nodes(self._scene)
        present = set(read_record(self._case).sequences) & set(nodes)
        if not present:
            return
        leader = nodes[reference_sequence(present)]
        logic = layout.slice_logic(leader, self._logic)
        if logic is not None:
            logic.FitSliceToBackground()
        for node in nodes.values():
            if node is not leader:
                layout.align(node, leader)

    def set_plane(self, plane: str) -> None:
        """Turns the four views.

        Raises:
            ValueError: it is none of axial, coronal and sagittal.
        """
        if plane not in PLANE_AXES:
            raise ValueError(f"{plane!r} is none of {', '.join(PLANE_AXES)}")
        for node in layout.slice_nodes(self._scene).values():
            node.SetOrientation(plane.capitalize())
        self.fit()

    # Key images.

    def show_key_image(self, plane: str, region: str = "WT") -> bool:
        """Turns the four views to a plane and goes to the largest cut of a region, with every
        other slice view; False where nothing of the region is there.

        Raises:
            ValueError: there is no such plane or region.
            SceneError: the segmentation cannot be read.
        """
        mask = self._one(SEGMENTATION)
        point = None if mask is None else key_point(placed_labels(mask), plane, region)
        if point is None:
            return False
        self.set_plane(plane)
        self.jump(point)
        return True

    def show_diameters(self) -> bool:
        """Turns the four views to axial, goes to the slice that the diameters were measured in, and
        shows them; False where there are none."""
        lines = referenced(self._case, DIAMETER)
        if not lines:
            return False
        first, second = (lines[0].GetNthControlPointPositionWorld(n) for n in range(2))
        self.set_plane("axial")
        self.jump(
            ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2, (first[2] + second[2]) / 2)
        )
        self.diameters = True
        return True

    def jump(self, point: Point) -> None:
        """Moves every slice view to the slice through a point, RAS mm."""
        for node in nodes_of(self._scene, "vtkMRMLSliceNode"):
            node.JumpSliceByOffsetting(*point)

    # The tumour.

    @property
    def fill_opacity(self) -> float:
        """Of the tumour's classes in slices, 0 to 1."""
        display = self._display(SEGMENTATION)
        return 0.0 if display is None else float(display.GetOpacity2DFill())

    @fill_opacity.setter
    def fill_opacity(self, value: float) -> None:
        display = self._display(SEGMENTATION)
        if display is not None:
            display.SetOpacity2DFill(min(max(value, 0.0), 1.0))

    @property
    def outline(self) -> bool:
        """Whether the classes have an outline in slices."""
        display = self._display(SEGMENTATION)
        return display is not None and bool(display.GetVisibility2DOutline())

    @outline.setter
    def outline(self, visible: bool) -> None:
        display = self._display(SEGMENTATION)
        if display is not None:
            display.SetVisibility2DOutline(visible)

    @property
    def tumour(self) -> bool:
        """Whether the tumour is shown at all."""
        display = self._display(SEGMENTATION)
        return display is not None and bool(display.GetVisibility())

    @tumour.setter
    def tumour(self, visible: bool) -> None:
        display = self._display(SEGMENTATION)
        if display is not None:
            display.SetVisibility(visible)

    def set_class_shown(self, label: Label, visible: bool) -> None:
        """Shows one class, or hides it, in slices and in 3D."""
        display = self._display(SEGMENTATION)
        if display is not None:
            display.SetSegmentVisibility(label.name, visible)

    def class_shown(self, label: Label) -> bool:
        """Whether one class is shown."""
        display = self._display(SEGMENTATION)
        return display is not None and bool(display.GetSegmentVisibility(label.name))

    @property
    def network_outline(self) -> bool:
        """Whether the outline of the network's own mask is shown beside the corrected one."""
        display = self._display(NETWORK_SEGMENTATION)
        return display is not None and bool(display.GetVisibility())

    @network_outline.setter
    def network_outline(self, visible: bool) -> None:
        display = self._display(NETWORK_SEGMENTATION)
        if display is not None:
            display.SetVisibility2DFill(False)
            display.SetVisibility2DOutline(True)
            display.SetVisibility3D(False)
            display.SetVisibility(visible)

    @property
    def surface(self) -> bool:
        """Whether the tumour has a surface in 3D views."""
        node = self._one(SEGMENTATION)
        name = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
        return node is not None and bool(node.GetSegmentation().ContainsRepresentation(name))

    @surface.setter
    def surface(self, visible: bool) -> None:
        """Making it takes a moment, and from then on a moment more for each edit."""
        node = self._one(SEGMENTATION)
        if node is None or visible == self.surface:
            return
        if not visible:
            node.RemoveClosedSurfaceRepresentation()
            return
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility3D(True)

    # Beside the tumour.

    @property
    def uncertainty(self) -> bool:
        """Whether the uncertainty lies over the images."""
        node = self._one(UNCERTAINTY)
        return node is not None and overlay_shown(self._scene, node)

    @uncertainty.setter
    def uncertainty(self, visible: bool) -> None:
        node = self._one(UNCERTAINTY)
        if node is not None:
            show_overlay(self._scene, node, visible)

    @property
    def saliency(self) -> str:
        """The answer whose saliency map lies over the images; empty for none."""
        return shown_answer(self._scene, referenced(self._case, SALIENCY))

    @saliency.setter
    def saliency(self, answer: str) -> None:
        show_answer(self._scene, referenced(self._case, SALIENCY), answer)

    @property
    def diameters(self) -> bool:
        """Whether the measured lines are shown."""
        lines = referenced(self._case, DIAMETER)
        return any(line.GetDisplayVisibility() for line in lines)

    @diameters.setter
    def diameters(self, visible: bool) -> None:
        show_lines(referenced(self._case, DIAMETER), visible)

    def shown_sequences(self) -> dict[str, str]:
        """Volume id by sequence, as our views show them now."""
        composites = layout.composite_nodes(self._scene)
        shown = {name: composites[name].GetBackgroundVolumeID() for name in composites}
        return {name: shown[name] for name in SEQUENCES if shown.get(name)}

    def _one(self, role: str) -> Any:
        return next(iter(referenced(self._case, role)), None)

    def _display(self, role: str) -> Any:
        node = self._one(role)
        return None if node is None else node.GetDisplayNode()
