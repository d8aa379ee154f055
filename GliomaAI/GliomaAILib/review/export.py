"""The results of a case in one folder, complete or not at all."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GliomaAILib.output.cohort_table import append_row, cohort_row
from GliomaAILib.review.activity import InThread, Steps
from GliomaAILib.review.explanation import saliency_files
from GliomaAILib.review.message import Message, ToldError, translate
from GliomaAILib.scene.port import CaseScene, no_work

RESULT_FILES: Mapping[str, str] = {
    "html": "report",
    "pdf": "report_pdf",
    "nifti": "segmentation",
    "json": "document",
}
"""Kind of export: the worker's name of the file."""

WHOLE_SCENE = "mrb"
SCENE_KINDS = ("seg.nrrd", "stl", WHOLE_SCENE)
"""Kinds that the scene writes itself, each in one go."""

STAGES: Mapping[str, str] = {
    "seg.nrrd": "writing the segmentation",
    "stl": "writing the surfaces",
    WHOLE_SCENE: "writing the scene; the window stands still until it is done",
}
"""By kind; see `words`."""

TABLE_KIND = "csv"
TABLE = "cohort.csv"


_NO_NAME = translate(
    "GliomaAI", "'{name}' cannot be the name of a folder: use letters, digits, blanks and hyphens."
)
_OCCUPIED = translate("GliomaAI", "{folder} is there already: choose another name.")


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and where to."""

    folder: Path
    """The case gets a folder of its own in it; the cohort's table lies in it."""
    name: str
    """Of the case; no identifier unless the user put one there."""
    kinds: Sequence[str]


def check_name(name: str) -> None:
    """Refuses what is no name of one folder.

    Raises:
        ToldError: it is empty, hidden, or leads elsewhere.
    """
    if not name.strip() or name.startswith(".") or set(name) & set('/\\:*?"<>|') or len(name) > 100:
        raise ToldError(Message(_NO_NAME, {"name": name}))


def export(
    scene: CaseScene,
    request: ExportRequest,
    files: Mapping[str, Path],
    document: Mapping[str, Any],
) -> Steps:
    """Writes everything asked for; on failure nothing is left.

    Args:
        scene: writes its own kinds between the steps.
        request: what and where.
        files: of the shown result.
        document: the shown `assessment.json`.
    """
    check_name(request.name)
    target = request.folder / request.name
    if target.exists():
        raise ToldError(Message(_OCCUPIED, {"folder": target}))
    row = cohort_row(request.name, document) if TABLE_KIND in request.kinds else None
    request.folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=request.folder, prefix=".gliomaai-"))
    try:
        chosen = [files[RESULT_FILES[k]] for k in request.kinds if k in RESULT_FILES]
        if "nifti" in request.kinds:
            chosen += saliency_files(document, files["document"].parent)
        yield InThread("copying", lambda: [shutil.copy2(f, scratch / f.name) for f in chosen])
        for kind in (k for k in request.kinds if k in SCENE_KINDS):
            # Said before the window stands still.
            yield InThread(STAGES[kind], no_work, final=kind == WHOLE_SCENE)
            scene.export(scratch, [kind])
        yield InThread("moving in", lambda: _move_in(scratch, target, row), final=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move_in(scratch: Path, target: Path, row: Mapping[str, str] | None) -> None:
    """Folder and line of the table come together, or neither."""
    scratch.rename(target)
    if row is None:
        return
    try:
        append_row(target.parent / TABLE, row)
    except (OSError, ValueError):
        shutil.rmtree(target, ignore_errors=True)
        raise
