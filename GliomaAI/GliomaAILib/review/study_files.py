"""Volumes of a scene as a study folder that the worker reads."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from GliomaAILib.raw_volume import RawVolume, write_raw
from GliomaAILib.review.message import Message, ToldError, translate
from GliomaAILib.scene.port import LoadedVolume

ENDING = ".nrrd"

_NOT_HANDED_OVER = translate(
    "GliomaAI",
    "The study could not be handed to the analysis: {reason}. Make room on the disk of the "
    "temporary folder, or choose another in the settings.",
)


@dataclass(frozen=True)
class Snapshot:
    """A volume's voxels at one moment, with what is known of it."""

    volume: LoadedVolume
    raw: RawVolume


def write_study(folder: Path, snapshots: Mapping[str, Snapshot]) -> None:
    """Writes each volume under its name, with what is known of its acquisition beside it (BIDS).

    A study that cannot be written complete is taken away again.

    Raises:
        ToldError: the disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, snapshot in snapshots.items():
            write_raw(snapshot.raw, folder / f"{name}{ENDING}")
            header = {"ProtocolName": snapshot.volume.name, **snapshot.volume.header}
            text = json.dumps(header, ensure_ascii=False)
            (folder / f"{name}.json").write_text(text, "utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        reason = error.strerror or str(error)
        raise ToldError(Message(_NOT_HANDED_OVER, {"reason": reason})) from error
