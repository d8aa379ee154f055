"""Uncertainty as a coloured volume over the images."""

from typing import Any

import numpy as np
import slicer

from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.arrays import to_world
from GliomaAILib.scene.case_node import nodes_of
from GliomaAILib.scene.volumes import OVERLAY, set_voxels

COLOURS = "vtkMRMLColorTableNodeIron"
"""Red to yellow; every scene has it."""

SHOWN_FROM = 5
"""Hundredths of a bit; what is surer stays clear."""
STRONGEST = 100
"""Hundredths of a bit: two labels equally likely."""

OPACITY = 0.6


def add_overlay(scene: Any, name: str) -> Any:
    """Adds the node of an overlay: a volume that is offered nowhere as an image."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(scene.GenerateUniqueName(name))
    node.SetAttribute(OVERLAY, "uncertainty")
    node.SetHideFromEditors(True)
    return scene.AddNode(node)


def set_overlay(node: Any, uncertainty: RawVolume, reference: Any) -> None:
    """Replaces what an overlay shows; it moves with the reference volume.

    Args:
        node: the overlay.
        uncertainty: UInt8, hundredths of a bit.
        reference: the volume node that the result lies on.
    """
    local = np.linalg.inv(to_world(reference)) @ uncertainty.ijk_to_ras
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    set_voxels(node, RawVolume(uncertainty.array, local))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(COLOURS)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, STRONGEST)
    display.SetInterpolate(True)
    display.SetThreshold(SHOWN_FROM, 255)
    display.SetApplyThreshold(True)


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
