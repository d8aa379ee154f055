"""Results as coloured volumes over the images; the uncertainty among them."""

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from GliomaAILib.scene.arrays import to_world
from GliomaAILib.scene.case_node import nodes_of
from GliomaAILib.scene.volumes import OVERLAY, set_image

COLOURS = "vtkMRMLColorTableNodeIron"
"""Red to yellow; every scene has it."""

SHOWN_FROM = 5
"""Hundredths of a bit; what is surer stays clear."""
STRONGEST = 100
"""Hundredths of a bit: two labels equally likely."""

OPACITY = 0.6


def add_overlay(scene: Any, name: str) -> Any:
    """Adds the node of the uncertainty."""
    node = empty_overlay(scene, name, "uncertainty", COLOURS)
    display = node.GetDisplayNode()
    display.SetWindowLevelMinMax(0, STRONGEST)
    display.SetThreshold(SHOWN_FROM, 255)
    display.SetApplyThreshold(True)
    return node


def empty_overlay(scene: Any, name: str, kind: str, colours: str) -> Any:
    """Adds the node of an overlay: a volume that is offered nowhere as an image.

    Args:
        scene: that gets it.
        name: as the user sees it.
        kind: of result.
        colours: id of the colour node.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(scene.GenerateUniqueName(name))
    node.SetAttribute(OVERLAY, kind)
    node.SetHideFromEditors(True)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()  # before there are voxels: Slicer would look at all of them
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colours)
    display.SetAutoWindowLevel(False)
    display.SetInterpolate(True)
    return node


def set_overlay(node: Any, image: Any, ijk_to_ras: NDArray[np.float64], reference: Any) -> None:
    """Replaces what an overlay shows; it moves with the reference volume.

    Args:
        node: the overlay.
        image: vtkImageData of UInt8 (of the uncertainty, hundredths of a bit); the overlay's own
            from now on.
        ijk_to_ras: of the image, in coordinates of the scene.
        reference: the volume node that the result lies on.
    """
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    set_image(node, image, np.linalg.inv(to_world(reference)) @ ijk_to_ras)


def show_overlay(scene: Any, node: Any, visible: bool) -> None:
    """Puts the overlay over every slice view, or takes it away; another foreground stays."""
    for composite in nodes_of(scene, "vtkMRMLSliceCompositeNode"):
        if visible:
            composite.SetForegroundVolumeID(node.GetID())
            composite.SetForegroundOpacity(OPACITY)
        elif composite.GetForegroundVolumeID() == node.GetID():
            composite.SetForegroundVolumeID(None)


def overlay_shown(scene: Any, node: Any) -> bool:
    """Whether any slice view shows the overlay."""
    composites = nodes_of(scene, "vtkMRMLSliceCompositeNode")
    return any(one.GetForegroundVolumeID() == node.GetID() for one in composites)
