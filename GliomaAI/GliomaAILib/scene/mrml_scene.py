"""A case in Slicer's scene: what `port.CaseScene` asks, answered by MRML nodes."""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.arrays import copy_voxels, empty_image
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    REFERENCE,
    SALIENCY,
    SEGMENTATION,
    read_record,
    refer,
    referenced,
    remove_shown,
    write_record,
)
from GliomaAILib.scene.diameters import update_lines
from GliomaAILib.scene.export import write_scene, write_segmentation, write_surfaces
from GliomaAILib.scene.label_maps import placed_labels
from GliomaAILib.scene.overlay import set_overlay, show_overlay
from GliomaAILib.scene.port import (
    CaseRecord,
    Diameter,
    LoadedVolume,
    Result,
    SaliencyMap,
    SceneChange,
    SceneError,
    Work,
    no_work,
)
from GliomaAILib.scene.saliency import add_map
from GliomaAILib.scene.segmentation import (
    SaveState,
    copy_labels,
    other_segments,
    require_same_voxels,
)
from GliomaAILib.scene.showing import Showing
from GliomaAILib.scene.volumes import (
    HeaderCache,
    add_volume,
    copied,
    loaded_volumes,
    snapshot,
    volume_node,
)
from GliomaAILib.scene.watch import Watch

KINDS = ("seg.nrrd", "stl", "mrb")

logger = logging.getLogger(__name__)


class MRMLCaseScene:
    """One case in a MRML scene; see `port.CaseScene`."""

    def __init__(self, node: Any) -> None:
        """Takes up a case.

        Args:
            node: its node (`case_node.create_case`), in a scene.
        """
        self.node = node
        self.save_state: SaveState | None = None
        """Called before the mask is restored, so that this can be undone: `saveStateForUndo` of
        the segment editor that edits the case's segmentation."""
        self._scene = node.GetScene()
        self._headers = HeaderCache()
        self._watch: Watch | None = None

    @property
    def name(self) -> str:
        """What the case is called in the scene."""
        return self.node.GetName() or ""

    @property
    def segmentation(self) -> Any:
        """The segmentation node to edit; None without a result."""
        return self._one(SEGMENTATION)

    @property
    def reference(self) -> Any:
        """The volume node that the result lies on; None without a result, or where it is gone."""
        return self._one(REFERENCE)

    def listen(self, listener: Callable[[SceneChange], None] | None) -> None:
        """See `port.CaseScene`."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if listener is not None:
            self._watch = Watch(self._present(), listener)

    def volumes(self) -> Sequence[LoadedVolume]:
        """See `port.CaseScene`."""
        return loaded_volumes(self._scene, self._headers)

    def snapshot(self, volume: str) -> RawVolume:
        """See `port.CaseScene`."""
        return snapshot(volume_node(self._scene, volume))

    def add_volume(self, name: str, volume: RawVolume) -> Generator[Work, Any, str]:
        """See `port.CaseScene`."""
        copy = yield copied(volume)
        with self._unheard():
            return str(add_volume(self._scene, name, copy).GetID())

    def record(self) -> CaseRecord:
        """See `port.CaseScene`."""
        return read_record(self.node)

    def keep(self, record: CaseRecord) -> None:
        """See `port.CaseScene`."""
        with self._unheard():
            write_record(self.node, record)

    def show(self, result: Result) -> Generator[Work, Any, None]:
        """See `port.CaseScene`."""
        showing = Showing(self._present(), result)
        part = yield showing.arrays
        try:
            for make in showing.missing():
                with self._unheard():
                    make()
                yield no_work
            with self._unheard():
                self._present()
                showing.appear(part)
                self._remove(SALIENCY)
        except BaseException:  # also where somebody closes this before the end
            with self._unheard():
                showing.withdraw()
            raise

    def show_saliency(self, maps: Sequence[SaliencyMap]) -> Generator[Work, Any, None]:
        """See `port.CaseScene`."""
        reference = self._required(REFERENCE)
        images = []
        for one in maps:
            require_same_voxels(one.volume.array.shape, reference)
            images.append(empty_image(one.volume.array))

        def copy() -> None:
            for one, image in zip(maps, images, strict=True):
                copy_voxels(one.volume.array, image)

        yield copy
        made: list[Any] = []
        try:
            for one, image in zip(maps, images, strict=True):
                with self._unheard():
                    name = f"{self.name}: saliency, {one.words}"
                    made.append(add_map(self._scene, name, one.answer))
                    set_overlay(made[-1], image, one.volume.ijk_to_ras, reference)
                yield no_work
            with self._unheard():
                self._present()
                self._remove(SALIENCY)
                refer(self.node, SALIENCY, made)
        except BaseException:  # also where somebody closes this before the end
            with self._unheard():
                for node in made:
                    remove_shown(node)
            raise

    def remove_saliency(self) -> None:
        """See `port.CaseScene`."""
        self._present()
        with self._unheard():
            self._remove(SALIENCY)

    def show_diameters(self, diameters: Sequence[Diameter]) -> None:
        """See `port.CaseScene`."""
        self._present()
        with self._unheard():
            self._show_diameters(diameters)

    def mask(self) -> RawVolume:
        """See `port.CaseScene`."""
        return placed_labels(self._required(SEGMENTATION)).whole()

    def network_mask(self) -> RawVolume:
        """See `port.CaseScene`."""
        return placed_labels(self._required(NETWORK_SEGMENTATION)).whole()

    def other_segments(self) -> tuple[str, ...]:
        """Names of segments that are none of the tumour's three, and do not count."""
        node = self.segmentation
        return () if node is None else other_segments(node)

    def restore_network_mask(self) -> None:
        """See `port.CaseScene`.

        Raises:
            SceneError: one of the two masks is gone.
        """
        mask, network = self._required(SEGMENTATION), self._required(NETWORK_SEGMENTATION)
        with self._unheard():
            if self.save_state is not None:
                self.save_state()
            copy_labels(network, mask)

    def volumes_ml(self) -> Mapping[str, float]:
        """See `port.CaseScene`; empty too where `mask` would raise."""
        node = self.segmentation
        if node is None:
            return {}
        try:
            return placed_labels(node).volumes_ml()
        except SceneError as error:
            logger.warning("volumes cannot be counted: %s", error)
            return {}

    def export(self, folder: Path, kinds: Sequence[str]) -> Sequence[Path]:
        """See `port.CaseScene`.

        Raises:
            SceneError: it cannot be written, or there is no mask.
            ValueError: a kind is unknown.
        """
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise ValueError(f"{unknown} cannot be written; there are {', '.join(KINDS)}")
        files: list[Path] = []
        if "seg.nrrd" in kinds:
            files.append(write_segmentation(self.mask(), folder))
        if "stl" in kinds:
            files += write_surfaces(self.mask(), folder)
        if "mrb" in kinds:
            with self._unheard():
                files.append(write_scene(self._scene, folder))
        return files

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        if self._watch is None:
            yield
            return
        with self._watch.unheard():
            yield

    def _one(self, role: str) -> Any:
        return next(iter(referenced(self.node, role)), None)

    def _present(self) -> Any:
        if not self._scene.IsNodePresent(self.node):
            raise SceneError("The case is not in the scene any more: make a new one.")
        return self.node

    def _required(self, role: str) -> Any:
        node = self._one(role)
        if node is None:
            raise SceneError("There is no segmentation: run the analysis first.")
        return node

    def _remove(self, role: str) -> None:
        """Takes overlays of a role off the views and out of the scene."""
        for node in referenced(self.node, role):
            show_overlay(self._scene, node, False)
            remove_shown(node)

    def _show_diameters(self, diameters: Sequence[Diameter]) -> None:
        lines = update_lines(self._scene, referenced(self.node, DIAMETER), diameters)
        refer(self.node, DIAMETER, lines)
