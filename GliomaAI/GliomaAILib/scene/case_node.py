"""A case as a node of the scene: it is saved, loaded and imported with everything it points to.

Nodes that belong to a case are references of its node, which MRML keeps right when nodes are
deleted, or get other ids on import. All the rest is one JSON text.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import slicer

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.facts import ClinicalFacts, facts_of
from GliomaAILib.scene.port import CaseRecord

MODULE_NAME = "GliomaAI"
"""Attribute `ModuleName` of a case's node: what a node selector filters by."""

SEGMENTATION = "segmentation"
NETWORK_SEGMENTATION = "networkSegmentation"
UNCERTAINTY = "uncertainty"
SALIENCY = "saliency"
DIAMETER = "diameter"
REFERENCE = "reference"
"""Roles of the references to what shows a result, and to the volume that it lies on."""

_CONTENT = "case"
_TEXTS = ("analysis", "document", "network_document")

logger = logging.getLogger(__name__)


def create_case(scene: Any, name: str = "Glioma case") -> Any:
    """Adds the node of a new, empty case."""
    node = slicer.vtkMRMLScriptedModuleNode()
    node.SetModuleName(MODULE_NAME)
    node.SetAttribute("ModuleName", MODULE_NAME)
    node.SetHideFromEditors(False)
    node.SetName(scene.GenerateUniqueName(name))
    return scene.AddNode(node)


def remove_case(node: Any) -> None:
    """Removes a case with everything that shows its result; its volumes stay."""
    roles = (SEGMENTATION, NETWORK_SEGMENTATION, UNCERTAINTY, SALIENCY, DIAMETER)
    shown = [one for role in roles for one in referenced(node, role)]
    node.GetScene().RemoveNode(node)
    for one in shown:
        remove_shown(one)


def remove_shown(node: Any) -> None:
    """Removes a node with its display and storage, which would stay in the scene otherwise."""
    scene = node.GetScene()
    parts = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    parts += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    scene.RemoveNode(node)
    for part in parts:
        if part is not None and scene.IsNodePresent(part):
            scene.RemoveNode(part)


def is_case(node: Any) -> bool:
    """Whether a node is that of a case."""
    return bool(
        node is not None
        and node.IsA("vtkMRMLScriptedModuleNode")
        and node.GetAttribute("ModuleName") == MODULE_NAME
        and not node.GetSingletonTag()
    )


def case_nodes(scene: Any) -> tuple[Any, ...]:
    """The nodes of a scene's cases, in the order in which they came."""
    return tuple(node for node in nodes_of(scene, "vtkMRMLScriptedModuleNode") if is_case(node))


def remove_empty_cases(scene: Any) -> None:
    """Removes the cases in which nobody did anything: a scene that is opened has its own."""
    for node in case_nodes(scene):
        if read_record(node) == CaseRecord():
            scene.RemoveNode(node)


def nodes_of(scene: Any, kind: str) -> list[Any]:
    """All nodes of a class, those of its subclasses too."""
    found = scene.GetNodesByClass(kind)
    found.UnRegister(None)
    return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]


def referenced(node: Any, role: str) -> tuple[Any, ...]:
    """The nodes of a role that are still there."""
    numbers = range(node.GetNumberOfNodeReferences(role))
    found = (node.GetNthNodeReference(role, number) for number in numbers)
    return tuple(one for one in found if one is not None)


def refer(node: Any, role: str, others: Iterable[Any]) -> None:
    """Replaces the nodes of a role."""
    node.RemoveNodeReferenceIDs(role)
    for other in others:
        node.AddNodeReferenceID(role, other.GetID())


def read_record(node: Any) -> CaseRecord:
    """What a case's node keeps; what cannot be understood is left out."""
    found = ((name, referenced(node, _role(name))) for name in SEQUENCES)
    sequences = {name: volumes[0].GetID() for name, volumes in found if volumes}
    content = _content(node)
    texts = {name: content.get(name) for name in _TEXTS}
    by_hand = content.get("by_hand")
    return CaseRecord(
        sequences=sequences,
        by_hand=_sequences(by_hand if isinstance(by_hand, list) else []),
        facts=_facts(content.get("facts")),
        out_of_date=content.get("out_of_date") is True,
        **{name: text for name, text in texts.items() if isinstance(text, str)},
    )


def write_record(node: Any, record: CaseRecord) -> None:
    """Replaces what a case's node keeps.

    Raises:
        ValueError: it names a sequence that is none.
    """
    if unknown := sorted({*record.sequences, *record.by_hand} - set(SEQUENCES)):
        raise ValueError(f"{unknown} are no sequences; there are {', '.join(SEQUENCES)}")
    content = {
        "by_hand": list(record.by_hand),
        "facts": record.facts.known,
        "out_of_date": record.out_of_date,
        **{name: getattr(record, name) for name in _TEXTS},
    }
    modifying = node.StartModify()
    for name in SEQUENCES:
        node.SetNodeReferenceID(_role(name), record.sequences.get(name))
    # ASCII without line breaks: XML attributes lose tabs and line ends.
    node.SetParameter(_CONTENT, json.dumps(content))
    node.EndModify(modifying)


def _role(sequence: str) -> str:
    return f"sequence.{sequence}"


def _content(node: Any) -> dict[str, Any]:
    text = node.GetParameter(_CONTENT) or "{}"
    try:
        content = json.loads(text)
    except ValueError:
        logger.warning("what a case keeps cannot be read: it is not JSON")
        return {}
    return content if isinstance(content, dict) else {}


def _sequences(names: Sequence[Any]) -> tuple[str, ...]:
    return tuple(name for name in SEQUENCES if name in names)


def _facts(values: Any) -> ClinicalFacts:
    if not isinstance(values, dict):
        return ClinicalFacts()
    try:
        return facts_of(values)
    except (TypeError, ValueError):
        logger.warning("the clinical facts of a case cannot be read; enter them again")
        return ClinicalFacts()
