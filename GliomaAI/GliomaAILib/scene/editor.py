"""The node that holds the settings of our Segment Editor."""

from typing import Any

import slicer

from GliomaAILib.scene.case_node import MODULE_NAME
from GliomaAILib.scene.segmentation import exclusive


def editor_node(scene: Any) -> Any:
    """The module's own editor node: the Segment Editor module keeps its own settings beside it.

    A voxel belongs to one tumour class, so what is painted replaces what was there.
    """
    node = scene.GetSingletonNode(MODULE_NAME, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(MODULE_NAME)
        node = scene.AddNode(node)
    exclusive(node)
    return node
