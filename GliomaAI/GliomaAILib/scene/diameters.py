"""Measured diameters as lines that cannot be dragged by accident."""

import math
from collections.abc import Sequence
from typing import Any

import slicer
import vtk

from GliomaAILib.scene.case_node import remove_shown
from GliomaAILib.scene.port import Diameter

COLOURS = ((0.34, 0.71, 0.91), (0.8, 0.47, 0.65))
"""Sky blue and reddish purple of Okabe and Ito (2008): none of them is a label's."""


def update_lines(
    scene: Any, lines: Sequence[Any], diameters: Sequence[Diameter]
) -> tuple[Any, ...]:
    """Makes line nodes show diameters; there are as many afterwards as there are diameters.

    Args:
        scene: where the lines are.
        lines: the nodes of earlier diameters.
        diameters: what to show; lines of a colour alternate.

    Returns:
        The nodes that are shown now.
    """
    for line in lines[len(diameters) :]:
        remove_shown(line)
    kept = list(lines[: len(diameters)])
    while len(kept) < len(diameters):
        kept.append(new_line(scene))
    for number, (line, diameter) in enumerate(zip(kept, diameters, strict=True)):
        _draw(line, diameter, COLOURS[number % len(COLOURS)])
    return tuple(kept)


def show_lines(lines: Sequence[Any], visible: bool) -> None:
    """Shows lines in all views, or hides them."""
    for line in lines:
        line.SetDisplayVisibility(visible)


def _draw(line: Any, diameter: Diameter, colour: tuple[float, float, float]) -> None:
    modifying = line.StartModify()
    line.SetName(diameter.name)
    line.RemoveAllControlPoints()
    for point in diameter.ends:
        line.AddControlPointWorld(vtk.vtkVector3d(*point))
    # At an end, where the lines' labels do not meet.
    line.SetNthControlPointLabel(0, "")
    line.SetNthControlPointLabel(1, f"{math.dist(*diameter.ends):.0f} mm")
    line.SetLocked(True)
    display = line.GetDisplayNode()
    display.SetColor(*colour)
    display.SetSelectedColor(*colour)
    line.EndModify(modifying)


def new_line(scene: Any) -> Any:
    """A line without points yet, whose label will be at an end: Slicer puts its own at the middle,
    where lines cross."""
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode")
    line.CreateDefaultDisplayNodes()  # where Slicer has not made one already
    display = line.GetDisplayNode()
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(True)
    display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.CrossDot2D)
    display.SetGlyphScale(1.0)
    display.SetLineThickness(0.6)
    display.SetTextScale(2.5)
    display.SetSliceProjection(False)
    return line
