"""Notices what others do to a case's part of the scene."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import slicer
import vtk

from GliomaAILib.scene.case_node import SEGMENTATION, nodes_of, referenced
from GliomaAILib.scene.port import SceneChange
from GliomaAILib.scene.segmentation import stamp
from GliomaAILib.scene.volumes import is_sequence_like

Signature = tuple[Any, ...]


class Watch:
    """Tells a listener of changes, as long as it is not stopped.

    VTK's events say that something may have changed; what is told is what differs from the state
    seen last. So one edit with many events is told once, and a segment's new colour is not told.
    """

    def __init__(self, case: Any, tell: Callable[[SceneChange], None]) -> None:
        """Begins to watch.

        Args:
            case: the case's node, in a scene.
            tell: called on the thread that changes the scene.
        """
        self._case, self._scene, self._tell = case, case.GetScene(), tell
        self._quiet = 0
        self._on_scene: list[tuple[Any, int]] = []
        self._on_volumes: dict[str, list[tuple[Any, int]]] = {}
        self._on_mask: list[tuple[Any, int]] = []
        self._mask: Any = None
        self._stamp: Signature = ()
        self._volumes: Signature = ()
        events = slicer.vtkMRMLScene
        for event in (
            events.NodeAddedEvent,
            events.NodeRemovedEvent,
            events.EndImportEvent,
            events.EndBatchProcessEvent,
        ):
            self._on_scene.append(self._observe(self._scene, event, self._look))
        self._on_scene.append(self._observe(self._scene, events.StartCloseEvent, self._closing))
        self._take_note()

    def stop(self) -> None:
        """Removes every observer."""
        for observed in (self._on_scene, self._on_mask, *self._on_volumes.values()):
            _release(observed)
        self._on_volumes.clear()
        self._mask = None

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """What is done inside is not told."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1
            if self._on_scene and not self._quiet:
                self._take_note()

    @staticmethod
    def _observe(thing: Any, event: int, handler: Callable[[Any, str], None]) -> tuple[Any, int]:
        return thing, thing.AddObserver(event, handler)

    def _closing(self, _caller: Any, _event: str) -> None:
        self._gone()

    def _gone(self) -> None:
        self.stop()
        self._tell(SceneChange.CASE_REMOVED)

    def _look(self, _caller: Any, _event: str) -> None:
        """Nodes or volumes may have changed."""
        if self._quiet or not self._on_scene or self._scene.IsBatchProcessing():
            return
        if not self._scene.IsNodePresent(self._case):
            self._gone()
            return
        mask, before = self._mask, (self._stamp, self._volumes)
        removed = mask is not None and not self._scene.IsNodePresent(mask)
        self._take_note()
        changes = []
        if removed:
            changes.append(SceneChange.MASK_REMOVED)
        elif mask is self._mask and self._stamp != before[0]:  # edited within a batch
            changes.append(SceneChange.MASK)
        if self._volumes != before[1]:
            changes.append(SceneChange.VOLUMES)
        for change in changes:
            if self._on_scene:  # who was told may have stopped this
                self._tell(change)

    def _look_at_mask(self, _caller: Any, _event: str) -> None:
        """The mask may have been edited; a stroke of a brush ends here, so nothing else is done."""
        if self._quiet or self._mask is None or self._scene.IsBatchProcessing():
            return
        before = self._stamp
        self._stamp = stamp(self._mask)
        if self._stamp != before:
            self._tell(SceneChange.MASK)

    def _take_note(self) -> None:
        """Remembers how things are, and watches the nodes that are there now."""
        nodes = {one.GetID(): one for one in nodes_of(self._scene, "vtkMRMLScalarVolumeNode")}
        for identity in set(self._on_volumes) - set(nodes):
            _release(self._on_volumes.pop(identity))
        node_events = (
            vtk.vtkCommand.ModifiedEvent,
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        )
        for identity in set(nodes) - set(self._on_volumes):
            self._on_volumes[identity] = [
                self._observe(nodes[identity], event, self._look) for event in node_events
            ]
        self._volumes = tuple(_signature(one) for one in nodes.values() if is_sequence_like(one))
        self._watch_mask()

    def _watch_mask(self) -> None:
        mask = next(iter(referenced(self._case, SEGMENTATION)), None)
        if mask is not self._mask:
            _release(self._on_mask)
            self._mask = mask
            events = slicer.vtkSegmentation
            if mask is not None:
                self._on_mask += [
                    self._observe(mask, event, self._look_at_mask)
                    for event in (
                        events.SourceRepresentationModified,
                        events.SegmentModified,
                        events.SegmentAdded,
                        events.SegmentRemoved,
                        slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
                    )
                ]
        self._stamp = () if mask is None else stamp(mask)


def _signature(volume: Any) -> Signature:
    """Differs when a volume was renamed, moved or replaced; display does not matter."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return (
        volume.GetID(),
        volume.GetName(),
        volume.GetImageData().GetMTime(),
        volume.GetTransformNodeID(),
        *(matrix.GetElement(i, j) for i in range(3) for j in range(4)),
    )


def _release(observed: list[tuple[Any, int]]) -> None:
    while observed:
        thing, tag = observed.pop()
        thing.RemoveObserver(tag)
