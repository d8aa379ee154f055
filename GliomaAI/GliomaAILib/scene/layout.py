"""The layout that shows the four sequences side by side, as far as there are views to show it."""

from collections.abc import Mapping
from typing import Any

import slicer

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.scene.case_node import nodes_of

SEQUENCES_LAYOUT = 6104
SEQUENCES_3D_LAYOUT = 6105
"""Numbers of our layouts among Slicer's: its own end near 1000."""

VIEW_NAMES: Mapping[str, str] = {name: f"GliomaAI-{name}" for name in SEQUENCES}
"""Layout name of the slice view of each sequence."""
VIEW_3D = "GliomaAI-3D"

VIEW_GROUP = 61
"""Slicer links the views of one group; others are left alone."""

_WORDS = {"t1": "T1", "t1gd": "T1Gd", "t2": "T2", "flair": "FLAIR"}
_COLOURS = {"t1": "#56b4e9", "t1gd": "#f0c808", "t2": "#009e73", "flair": "#cc79a7"}


def register_layouts(scene: Any) -> bool:
    """Makes our layouts known to the scene; False where it has no layout node."""
    node = layout_node(scene)
    if node is None:
        return False
    for number, with_3d in ((SEQUENCES_LAYOUT, False), (SEQUENCES_3D_LAYOUT, True)):
        if node.IsLayoutDescription(number):
            continue
        node.AddLayoutDescription(number, description(with_3d))
        if node.GetViewArrangement() == number:  # asked for before it was known: no view is shown
            node.SetViewArrangement(number)
    return True


def layout_node(scene: Any) -> Any:
    """The scene's layout node; None where no window shows it."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def description(with_3d: bool) -> str:
    """The layout in Slicer's XML: two rows of two sequences, beside a 3D view where asked for."""
    rows = "".join(
        f'<item><layout type="horizontal">{"".join(_slice_view(name) for name in row)}'
        "</layout></item>"
        for row in (SEQUENCES[:2], SEQUENCES[2:])
    )
    grid = f'<layout type="vertical" split="true">{rows}</layout>'
    if not with_3d:
        return grid
    return (
        f'<layout type="horizontal" split="true"><item splitSize="600">{grid}</item>'
        f'<item splitSize="400"><view class="vtkMRMLViewNode" singletontag="{VIEW_3D}">'
        '<property name="viewlabel" action="default">3D</property></view></item></layout>'
    )


def slice_nodes(scene: Any) -> dict[str, Any]:
    """The slice view node by sequence, of those that exist."""
    by_name = {one.GetLayoutName(): one for one in nodes_of(scene, "vtkMRMLSliceNode")}
    return {name: by_name[view] for name, view in VIEW_NAMES.items() if view in by_name}


def composite_nodes(scene: Any) -> dict[str, Any]:
    """What the slice views show, by sequence, of those that exist."""
    by_name = {one.GetLayoutName(): one for one in nodes_of(scene, "vtkMRMLSliceCompositeNode")}
    return {name: by_name[view] for name, view in VIEW_NAMES.items() if view in by_name}


def slice_logic(slice_node: Any, application_logic: Any = None) -> Any:
    """The logic that fits a slice view's field; None without a window."""
    if application_logic is None:
        app = getattr(slicer, "app", None)
        application_logic = app.applicationLogic() if app is not None else None
    if application_logic is None or application_logic.GetSliceLogics() is None:
        return None
    return application_logic.GetSliceLogic(slice_node)


def align(follower: Any, leader: Any) -> None:
    """Makes a slice view show what another shows, fitted to its own shape."""
    width, height, depth = leader.GetFieldOfView()
    own_width, own_height, _ = follower.GetDimensions()
    if own_width > 0 and own_height > 0:
        scale = max(width / own_width, height / own_height)
        width, height = scale * own_width, scale * own_height
    follower.SetFieldOfView(width, height, depth)
    follower.SetXYZOrigin(*leader.GetXYZOrigin())
    follower.GetSliceToRAS().DeepCopy(leader.GetSliceToRAS())
    follower.UpdateMatrices()


def _slice_view(sequence: str) -> str:
    properties = {
        "orientation": "Axial",
        "viewlabel": _WORDS[sequence],
        "viewcolor": _COLOURS[sequence],
        "viewgroup": str(VIEW_GROUP),
    }
    content = "".join(
        f'<property name="{key}" action="default">{value}</property>'
        for key, value in properties.items()
    )
    name = VIEW_NAMES[sequence]
    return f'<item><view class="vtkMRMLSliceNode" singletontag="{name}">{content}</view></item>'
