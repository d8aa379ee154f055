"""Saliency maps as coloured volumes over the images, one for each explained answer."""

from typing import Any

import slicer

from GliomaAILib.scene.overlay import empty_overlay, overlay_shown, show_overlay
from GliomaAILib.scene.port import NOTHING_SALIENT

ANSWER = "GliomaAI.answer"
"""Attribute of a map: the answer that it explains."""

COLOURS = "GliomaAI.saliency"
"""Singleton tag of the colour table: a scene has it once."""

FOR, AGAINST = (0.84, 0.37, 0.0), (0.0, 0.45, 0.70)
"""Okabe and Ito's vermilion and blue, as in the report."""

FAINTEST = 12
"""Steps from `NOTHING_SALIENT` below which nothing is drawn."""


def add_map(scene: Any, name: str, answer: str) -> Any:
    """Adds the node of a map, which is not shown yet; its voxels are set as an overlay's are."""
    node = empty_overlay(scene, name, "saliency", _colours(scene).GetID())
    node.SetAttribute(ANSWER, answer)
    node.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    return node


def shown_answer(scene: Any, nodes: tuple[Any, ...]) -> str:
    """The answer whose map lies over the images; empty for none."""
    shown = (node.GetAttribute(ANSWER) for node in nodes if overlay_shown(scene, node))
    return next(shown, "") or ""


def show_answer(scene: Any, nodes: tuple[Any, ...], answer: str) -> None:
    """Lays one answer's map over the images and takes the others away; none where it is empty."""
    for node in nodes:
        if node.GetAttribute(ANSWER) != answer:
            show_overlay(scene, node, False)
    for node in nodes:
        if node.GetAttribute(ANSWER) == answer:
            show_overlay(scene, node, True)


def _colours(scene: Any) -> Any:
    """The table from against to for, clear in the middle."""
    found = scene.GetSingletonNode(COLOURS, "vtkMRMLColorTableNode")
    if found is not None:
        return found
    node = slicer.vtkMRMLColorTableNode()
    node.SetSingletonTag(COLOURS)
    node.SetName("GliomaAI saliency")
    node.SetTypeToUser()
    node.SetHideFromEditors(True)
    node.SetNumberOfColors(256)
    for step in range(256):
        colour = FOR if step > NOTHING_SALIENT else AGAINST
        clear = abs(step - NOTHING_SALIENT) < FAINTEST
        node.SetColor(step, str(step), *colour, 0.0 if clear else 1.0)
    return scene.AddNode(node)
