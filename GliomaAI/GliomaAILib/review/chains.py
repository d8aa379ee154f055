"""What the commands of a review do, as chains of steps.

A chain touches the scene only between its steps, and only with results that are complete: where a
step fails or is cancelled, the scene stays as it was.
"""

import dataclasses
import json
import shutil
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from GliomaAILib.intake.scan import image_format, stem
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.review.activity import InThread, OnWorker, Step, Steps
from GliomaAILib.review.availability import NAMES
from GliomaAILib.review.message import Message, ToldError, translate
from GliomaAILib.review.recognition import Recognition, recognition
from GliomaAILib.review.study_files import ENDING, Snapshot, write_study
from GliomaAILib.scene.port import (
    CaseRecord,
    CaseScene,
    Diameter,
    LoadedVolume,
    Result,
    SaliencyMap,
    Work,
    no_work,
)
from GliomaAILib.worker.protocol import (
    Analyze,
    Finished,
    Inspect,
    Reassess,
    SaveTrainingCase,
    Simulate,
    decode,
    encode,
)

Document = Mapping[str, Any]

SALIENCY = "saliency:"
"""What the kinds of the maps' files begin with, as the worker names them."""

T = TypeVar("T")

WRITING = "handing over"
READING = "reading results"
SHOWING = "showing the result"
"""Stages; see `words`."""

_GONE = translate("GliomaAI", "The volume of {name} is gone: choose another, or load it again.")
_NOT_ANALYSED = translate(
    "GliomaAI", "The case does not say how it was analysed: run the analysis again."
)


@dataclass(frozen=True)
class Assessed:
    """A result of the worker, read."""

    analysis: Analyze
    document: Document
    text: str
    """Of the document, as it was written."""
    files: Mapping[str, Path]


Done = Callable[[Assessed], None]


def inspection(
    scene: CaseScene,
    volumes: Sequence[LoadedVolume],
    folder: Path,
    done: Callable[[Recognition], None],
) -> Steps:
    """Recognises the sequences among loaded volumes."""
    names = {str(index): volume for index, volume in enumerate(volumes, start=1)}
    try:
        for name, volume in names.items():
            snapshot = Snapshot(volume, scene.snapshot(volume.id))
            yield InThread(WRITING, partial(write_study, folder, {name: snapshot}))
        finished: Finished = yield OnWorker(Inspect(_new_name(), str(folder)))
        done(recognition(finished.found, names))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def opening(
    scene: CaseScene,
    study: Path,
    folder: Path,
    done: Callable[[Recognition], None],
) -> Steps:
    """Loads the usable volumes of a study folder and recognises their sequences."""
    try:
        finished: Finished = yield OnWorker(Inspect(_new_name(), str(study), str(folder)))
        found = finished.found
        loaded: dict[str, LoadedVolume] = {}
        for candidate in found["candidates"]:
            number = str(candidate["number"])
            file = folder / f"{number}{ENDING}"
            raw: RawVolume = yield InThread(READING, partial(read_raw, file))
            name = _node_name(str(candidate["name"]))
            identity = yield from _in_turns(READING, scene.add_volume(name, raw))
            loaded[number] = LoadedVolume(identity, name)
        renamed = [{**c, "file": f"{c['number']}{ENDING}"} for c in found["candidates"]]
        seen = recognition({**found, "candidates": renamed}, loaded)
        done(seen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _node_name(shown_as: str) -> str:
    """What a volume is called: a file without its ending, a series as it is described."""
    file = Path(shown_as)
    return stem(file) if image_format(file) else shown_as


def sample(
    scene: CaseScene,
    seed: int,
    folder: Path,
    done: Callable[[Recognition], None],
) -> Steps:
    """Makes a synthetic patient and opens it."""
    study = folder / "simulated patient"
    try:
        yield OnWorker(Simulate(_new_name(), seed, str(study)))
        yield from opening(scene, study, folder / "volumes", done)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def analysis(
    scene: CaseScene,
    record: CaseRecord,
    options: Mapping[str, Any],
    folder: Path,
    done: Done,
) -> Steps:
    """Segments and assesses the chosen volumes and shows the result."""
    try:
        study = folder / "study"
        yield from _write_chosen(scene, record, study)
        job = Analyze(
            _new_name(),
            str(study),
            str(folder / "result"),
            {name: f"{name}{ENDING}" for name in record.sequences},
            options,
            record.facts.known,
        )
        assessed = yield from _assess(job, job)
        labels: RawVolume = yield InThread(READING, partial(read_raw, assessed.files["labels"]))
        entropy = yield InThread(READING, partial(read_raw, assessed.files["uncertainty"]))
        reference = record.sequences[str(assessed.document["reference"])]
        result = Result(reference, labels, entropy, diameters(assessed.document))
        yield from _in_turns(SHOWING, scene.show(result))
        done(assessed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _in_turns(stage: str, turns: Generator[Work, Any, T]) -> Generator[Step, Any, T]:
    """What the scene does in turns, as steps of a chain."""
    with closing(turns):
        value = None
        while True:
            try:
                work = turns.send(value)
            except StopIteration as end:
                done: T = end.value
                return done
            value = yield InThread(stage, work)


def reassessment(
    scene: CaseScene, record: CaseRecord, folder: Path, done: Done, explain: bool = False
) -> Steps:
    """Assesses the mask as it is now; explains the network's answers, too, where asked.

    What explained an earlier mask is taken away.
    """
    try:
        job = yield from _reassess_job(scene, record, folder)
        assessed = yield from _assess(dataclasses.replace(job, explain=explain), job.analysis)
        maps = yield from _saliency_maps(assessed)
        if maps:
            yield from _in_turns(SHOWING, scene.show_saliency(maps))
            yield InThread(SHOWING, no_work, final=True)
        else:
            scene.remove_saliency()
        scene.show_diameters(diameters(assessed.document))
        done(assessed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _saliency_maps(assessed: Assessed) -> Generator[Step, Any, list[SaliencyMap]]:
    explanation = assessed.document.get("explanation") or {}
    maps = []
    for one in explanation.get("answers", ()):
        file = assessed.files.get(f"{SALIENCY}{one['answer']}")
        if file is not None:
            volume: RawVolume = yield InThread(READING, partial(read_raw, file))
            maps.append(SaliencyMap(one["answer"], one["words"], volume))
    return maps


def restored(scene: CaseScene, record: CaseRecord) -> CaseRecord:
    """Makes the mask the network's own again; what explained another mask is taken away.

    Returns:
        The record with the network's document.
    """
    scene.restore_network_mask()
    scene.remove_saliency()
    document = json.loads(record.network_document)
    scene.show_diameters(diameters(document))
    facts = {name: document["facts"].get(name) for name in record.facts.known}
    return dataclasses.replace(
        record, document=record.network_document, out_of_date=facts != record.facts.known
    )


def training_case(
    scene: CaseScene, record: CaseRecord, folder: Path, cohort: Path, case: str
) -> Steps:
    """Keeps images and mask as a case of a training cohort."""
    try:
        job = yield from _reassess_job(scene, record, folder)
        yield OnWorker(SaveTrainingCase(_new_name(), job, str(cohort), case))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def diameters(document: Document) -> list[Diameter]:
    """The two lines by which the tumour is followed (RANO), or none."""
    measures = document["measures"]
    pair = measures["diameters"].get(measures["rano_region"])
    if pair is None:
        return []
    lines = (("longest", "Longest diameter"), ("perpendicular", "Perpendicular diameter"))
    return [
        Diameter(f"{words} {pair[f'{name}_mm']:.0f} mm", _ends(pair[f"{name}_ends_ras_mm"]))
        for name, words in lines
    ]


def _ends(points: Sequence[Sequence[float]]) -> Any:
    first, second = (tuple(point) for point in points)
    return first, second


def _write_chosen(scene: CaseScene, record: CaseRecord, study: Path) -> Generator[Step, Any, None]:
    known = {volume.id: volume for volume in scene.volumes()}
    for name, identity in record.sequences.items():
        if identity not in known:
            raise ToldError(Message(_GONE, {"name": NAMES[name]}))
        snapshot = Snapshot(known[identity], scene.snapshot(identity))
        yield InThread(WRITING, partial(write_study, study, {name: snapshot}))


def _reassess_job(
    scene: CaseScene, record: CaseRecord, folder: Path
) -> Generator[Step, Any, Reassess]:
    """Hands the masks over, and the images again where they are no longer there."""
    analysed = decode(record.analysis)
    if not isinstance(analysed, Analyze):
        raise ToldError(Message(_NOT_ANALYSED))
    folder.mkdir(parents=True)
    if not Path(analysed.study).is_dir():
        study = folder / "study"
        yield from _write_chosen(scene, record, study)
        analysed = dataclasses.replace(analysed, study=str(study))
    # One after the other: copying both would take the window too long.
    for name, taken in (("network_mask", scene.network_mask), ("mask", scene.mask)):
        file = folder / f"{name}{ENDING}"
        yield InThread(WRITING, partial(write_raw, taken(), file))
    return Reassess(
        _new_name(),
        analysed,
        str(folder / f"network_mask{ENDING}"),
        str(folder / f"mask{ENDING}"),
        str(folder / "result"),
        record.facts.known,
        json.loads(record.network_document)["provenance"],
    )


def _assess(job: Analyze | Reassess, analysed: Analyze) -> Generator[Step, Any, Assessed]:
    finished: Finished = yield OnWorker(job)
    files = {kind: Path(file) for kind, file in finished.files.items()}
    text: str = yield InThread(READING, partial(files["document"].read_text, "utf-8"))
    return Assessed(analysed, json.loads(text), text, files)


def _new_name() -> str:
    return uuid.uuid4().hex


def kept(record: CaseRecord, assessed: Assessed, is_network: bool) -> CaseRecord:
    """The record with a new result."""
    return dataclasses.replace(
        record,
        analysis=encode(assessed.analysis).strip(),
        document=assessed.text,
        network_document=assessed.text if is_network else record.network_document,
        out_of_date=False,
    )
