"""A case in a real MRML scene with a result, and a stroke of the segment editor."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_makers as makers

from gliomaai_training.vocabulary import Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import volumes
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import (
    Diameter,
    Result,
)
from GliomaAILib.scene.segmentation import exclusive

LINES = (
    Diameter("Longest diameter 41 mm", ((0.0, 0.0, 5.0), (41.0, 0.0, 5.0))),
    Diameter("Perpendicular diameter 20 mm", ((20.0, -10.0, 5.0), (20.0, 10.0, 5.0))),
)


BRUSH = ((2, 3, 4), (1, 2, 0))


def result(case: MRMLCaseScene, name: str = "T1Gd") -> Result:
    """A volume of the scene and a result that lies on it."""
    identity = makers.in_turns(case.add_volume(name, makers.image_volume()))
    uncertainty = RawVolume(np.full(makers.SHAPE, 60, np.uint8), makers.oblique())
    labels = RawVolume(makers.labels(), makers.oblique())
    return Result(identity, labels, uncertainty, LINES)


def paint(case: MRMLCaseScene, label: Label = Label.ET) -> Any:
    """A stroke of the segment editor; returns its logic."""
    logic = makers.editor(case.node.GetScene(), case.segmentation, case.reference)
    exclusive(logic.GetSegmentEditorNode())
    shape, first = BRUSH
    matrix = makers.oblique()
    makers.paint(logic, label, makers.modifier(np.ones(shape, np.uint8), first, matrix))
    return logic


def node_count(scene: Any) -> int:
    """Nodes beside those that a scene makes for itself when they are asked for."""
    volumes.hierarchy_of(scene)
    nodes = (scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes()))
    return sum(not node.GetSingletonTag() for node in nodes)
