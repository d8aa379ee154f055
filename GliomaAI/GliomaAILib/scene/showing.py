"""A new result in turns: nodes that are missing come empty, then all of it appears at once."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from GliomaAILib.scene.arrays import copy_voxels, empty_image
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    REFERENCE,
    SEGMENTATION,
    UNCERTAINTY,
    refer,
    referenced,
    remove_shown,
)
from GliomaAILib.scene.diameters import new_line, update_lines
from GliomaAILib.scene.label_maps import LabelPart, part_of
from GliomaAILib.scene.overlay import add_overlay, set_overlay
from GliomaAILib.scene.port import Result, SceneError
from GliomaAILib.scene.segmentation import add_segmentation, require_same_voxels, set_labels
from GliomaAILib.scene.volumes import place_beside, volume_node

ROLES = (SEGMENTATION, NETWORK_SEGMENTATION, UNCERTAINTY, DIAMETER)


class Showing:
    """One result on its way into the scene; each of its steps is short."""

    def __init__(self, case: Any, result: Result) -> None:
        """Nothing of the scene is changed yet.

        Raises:
            SceneError: the reference volume is gone, or has other voxels than the labels.
        """
        self._case, self._scene, self._result = case, case.GetScene(), result
        self._reference()
        self._image = empty_image(result.uncertainty.array)
        self._nodes = {role: list(referenced(case, role)) for role in ROLES}
        self._new: list[Any] = []

    def arrays(self) -> LabelPart:
        """What has to be done with arrays before they appear; for a thread."""
        copy_voxels(self._result.uncertainty.array, self._image)
        return part_of(self._result.labels.array)

    def missing(self) -> Iterator[Callable[[], None]]:
        """Makes, one after the other, the nodes that are missing; nothing is in them."""
        scene, name = self._scene, self._case.GetName() or ""
        makers: tuple[tuple[str, int, Callable[[], Any]], ...] = (
            (SEGMENTATION, 1, lambda: add_segmentation(scene, f"{name}: tumour")),
            (
                NETWORK_SEGMENTATION,
                1,
                lambda: add_segmentation(scene, f"{name}: network's tumour", hidden=True),
            ),
            (UNCERTAINTY, 1, lambda: add_overlay(scene, f"{name}: uncertainty")),
            (DIAMETER, len(self._result.diameters), lambda: new_line(scene)),
        )
        for role, count, make in makers:
            for _ in range(count - len(self._nodes[role])):
                yield partial(self._make, role, make)

    def appear(self, part: LabelPart) -> None:
        """Shows all of it.

        Args:
            part: of `arrays`.

        Raises:
            SceneError: somebody deleted or changed what is needed meanwhile.
        """
        reference = self._reference()
        nodes = [node for found in self._nodes.values() for node in found]
        if not all(self._scene.IsNodePresent(node) for node in nodes):
            raise SceneError("Parts of the result were deleted meanwhile: run the analysis again.")
        refer(self._case, REFERENCE, [reference])
        for role in (SEGMENTATION, NETWORK_SEGMENTATION):
            set_labels(self._nodes[role][0], part, reference)
        place_beside(self._nodes[SEGMENTATION][0], reference)
        matrix = self._result.uncertainty.ijk_to_ras
        set_overlay(self._nodes[UNCERTAINTY][0], self._image, matrix, reference)
        lines = update_lines(self._scene, self._nodes[DIAMETER], self._result.diameters)
        for role, shown in {**self._nodes, DIAMETER: lines}.items():
            refer(self._case, role, shown)

    def withdraw(self) -> None:
        """Takes the new nodes away: the scene is as it was."""
        for node in self._new:
            if self._scene.IsNodePresent(node):
                remove_shown(node)

    def _make(self, role: str, make: Callable[[], Any]) -> None:
        node = make()
        self._new.append(node)
        self._nodes[role].append(node)

    def _reference(self) -> Any:
        reference = volume_node(self._scene, self._result.reference)
        require_same_voxels(self._result.labels.array.shape, reference)
        return reference
