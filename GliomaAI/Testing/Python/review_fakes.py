"""A scene without slicer and a worker without a process, for reviews that run in a moment."""

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.review.review import Review
from GliomaAILib.review.state import ReviewState
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
from GliomaAILib.worker.protocol import (
    Cancelled,
    Event,
    Failed,
    FailureReason,
    FindDevices,
    Finished,
    Inspect,
    Job,
    Reassess,
    SaveTrainingCase,
    Simulate,
    StageProgress,
)

SHAPE = (6, 5, 4)
PARTS = [label for label in Label if label != Label.BACKGROUND]


def raw(array: Any = None) -> RawVolume:
    """A volume of the fake scene's one geometry."""
    if array is None:
        array = np.zeros(SHAPE, np.int16)
    return RawVolume(np.asarray(array), np.diag([1.0, 1.0, 2.0, 1.0]))


def labels(ncr: int = 2, ed: int = 5, et: int = 3) -> RawVolume:
    """A label volume with so many voxels of each label."""
    flat = np.zeros(SHAPE, np.uint8).reshape(-1)
    flat[: ncr + ed + et] = [Label.NCR] * ncr + [Label.ED] * ed + [Label.ET] * et
    return raw(flat.reshape(SHAPE))


def volumes_ml(mask: RawVolume) -> dict[str, float]:
    counts = np.bincount(mask.array.ravel(), minlength=len(Label)) * 0.002
    found = {label.name: float(counts[label]) for label in PARTS}
    return found | {name: float(counts[list(values)].sum()) for name, values in REGIONS.items()}


NETWORK: Mapping[str, Any] = {
    "pack": "unified",
    "pack_version": "1",
    "cohort": "somebody",
    "patients": 3,
    "simulated_only": False,
    "evidence": [],
    "diagnosis": None,
    "alone": {"idh_mutant": 0.6},
    "log_risk": 0.5,
    "survival": None,
    "notes": ["Not measured."],
}
"""What a multi-task network says."""


def answer(name: str, words: str, probability: float | None, has_map: bool = True) -> Any:
    """An explained answer of a document."""
    scale = "log-risk" if probability is None else "probability"
    values = {"t1gd": 0.3, "flair": -0.1}
    saliency = {"file": f"saliency_{name.replace(':', '_')}.nii.gz", "inside_tumour": 0.4}
    return {
        "answer": name,
        "words": words,
        "output": 0.4,
        "unit": "log-odds",
        "probability": probability,
        "importance": [{"scale": scale, "values": values, "empty": 0.4, "full": 0.6}],
        "check": {"passes": has_map},
        "saliency": saliency if has_map else None,
    }


EXPLANATION: Mapping[str, Any] = {
    "answers": [answer("idh:mutant", "IDH mutant", 0.6), answer("risk", "risk", None)],
    "notes": ["A map shows neither a cause nor the tumour's border."],
}


ANSWERS = tuple(one["answer"] for one in EXPLANATION["answers"])


def document(mask: RawVolume, correction: Mapping[str, Any] | None = None, **facts: Any) -> str:
    """An `assessment.json` with the fields a review reads."""
    diameters = {
        "ET": {
            "longest_mm": 12.0,
            "perpendicular_mm": 9.0,
            "product_mm2": 108.0,
            "longest_ends_ras_mm": [[0, 0, 0], [12, 0, 0]],
            "perpendicular_ends_ras_mm": [[6, -4, 0], [6, 5, 0]],
        }
    }
    measures = {
        "volumes_ml": volumes_ml(mask),
        "diameters": diameters if (mask.array == Label.ET).any() else {},
        "rano_region": "ET" if (mask.array == Label.ET).any() else None,
        "enhancing_proportion": 0.3,
        "necrotic_proportion": 0.2,
        "foci": {"WT": [{}], "TC": [{}]},
        "laterality": {"side": "left", "crosses_midline": False},
        "brain_ml": 1400.0,
        "location": {"lobe": "frontal"},
    }
    finding = {
        "code": "assessment.uncertain",
        "severity": "warning",
        "message": "The mask is unsure.",
        "action": "Look at it.",
        "sequences": [],
    }
    return json.dumps(
        {
            "reference": "t1gd",
            "facts": facts,
            "measures": measures,
            "findings": [finding],
            "correction": correction,
            "sequences": {"t1gd": {}},
            "provenance": {
                "created_utc": "2026-01-31T12:00:00+00:00",
                "gliomaai_version": "0",
                "engine": "torch fp32 cpu",
                "model_packs": [{"name": "segmentation", "version": "1"}],
            },
            "schema_version": "1.5",
        }
    )


class FakeScene:
    """A scene in memory; `change` plays what others do to it."""

    def __init__(self, volumes: Mapping[str, str] | None = None) -> None:
        """`volumes`: name by id."""
        names = {"v1": "T1", "v2": "T1 Gd", "v3": "T2", "v4": "FLAIR"}
        self.loaded = {
            key: LoadedVolume(key, name)
            for key, name in (names if volumes is None else volumes).items()
        }
        self.kept = CaseRecord()
        self.shown: Result | None = None
        self.current: RawVolume | None = None
        self.lines: Sequence[Diameter] = ()
        self.saliency: Sequence[SaliencyMap] = ()
        self.listener: Callable[[SceneChange], None] | None = None
        self.exported: list[str] = []

    @property
    def name(self) -> str:
        return "Case"

    def listen(self, listener: Callable[[SceneChange], None] | None) -> None:
        self.listener = listener

    def change(self, change: SceneChange) -> None:
        if self.listener is not None:
            self.listener(change)

    def volumes(self) -> Sequence[LoadedVolume]:
        return list(self.loaded.values())

    def snapshot(self, volume: str) -> RawVolume:
        if volume not in self.loaded:
            raise SceneError("The volume is gone.")
        return raw()

    def add_volume(self, name: str, volume: RawVolume) -> Generator[Work, Any, str]:
        yield no_work
        self.loaded[f"added {name}"] = LoadedVolume(f"added {name}", name)
        return f"added {name}"

    def record(self) -> CaseRecord:
        return self.kept

    def keep(self, record: CaseRecord) -> None:
        self.kept = record

    def show(self, result: Result) -> Generator[Work, Any, None]:
        yield no_work
        if result.reference not in self.loaded:
            raise SceneError("The reference volume is gone.")
        self.shown, self.current = result, result.labels
        self.lines = result.diameters

    def show_saliency(self, maps: Sequence[SaliencyMap]) -> Generator[Work, Any, None]:
        yield no_work
        self.saliency = tuple(maps)

    def remove_saliency(self) -> None:
        self.saliency = ()

    def show_diameters(self, diameters: Sequence[Diameter]) -> None:
        self.lines = diameters

    def mask(self) -> RawVolume:
        if self.current is None:
            raise SceneError("There is no mask.")
        return self.current

    def network_mask(self) -> RawVolume:
        if self.shown is None:
            raise SceneError("There is no mask.")
        return self.shown.labels

    def restore_network_mask(self) -> None:
        self.current = self.network_mask()

    def volumes_ml(self) -> Mapping[str, float]:
        return {} if self.current is None else volumes_ml(self.current)

    def export(self, folder: Path, kinds: Sequence[str]) -> Sequence[Path]:
        self.exported += kinds
        files = [folder / f"scene.{kind}" for kind in kinds]
        for file in files:
            file.write_text("scene")
        return files

    def paint(self, mask: RawVolume) -> None:
        """As a person does with the Segment Editor."""
        self.current = mask
        self.change(SceneChange.MASK)


class FakeWorker:
    """Answers jobs as the real worker does, from what the test gave it."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.labels = labels()
        self.found: Mapping[str, Any] = found(t1="1", t1gd="2", t2="3", flair="4")
        self.devices: Mapping[str, Any] = {"cuda": [], "cpu_cores": 8, "automatic": "cpu"}
        self.more: dict[str, Any] = {}
        """What documents hold beside what every review reads."""
        self.failure: Failed | None = None
        self.waits = False
        """Whether jobs stay under way until the test says `waits = False`."""
        self.closed = False
        self._job: Job | None = None
        self._stopped = False

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self._job, self._stopped = job, False

    def cancel(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self.closed = True
        self._job = None

    def poll(self) -> list[Event]:
        job = self._job
        if job is None:
            return []
        if self._stopped:
            self._job = None
            return [Cancelled(job.job)]
        if self.waits:
            return [StageProgress(job.job, "segmentation", 0.5)]
        self._job = None
        if self.failure is not None:
            return [Failed(job.job, self.failure.reason, self.failure.message)]
        return [self._finished(job)]

    def _finished(self, job: Job) -> Finished:
        if isinstance(job, Inspect):
            return self._inspected(job)
        if isinstance(job, SaveTrainingCase | Simulate):
            return Finished(job.job, {})
        if isinstance(job, FindDevices):
            return Finished(job.job, {}, self.devices)
        out = Path(job.out)
        out.mkdir(parents=True)
        files = {
            name: str(out / file)
            for name, file in {
                "document": "assessment.json",
                "report": "report.html",
                "report_pdf": "report.pdf",
                "segmentation": "segmentation.nii.gz",
                "labels": "labels.nrrd",
                "uncertainty": "uncertainty.nrrd",
            }.items()
        }
        mask, correction = self.labels, None
        if isinstance(job, Reassess):
            mask = read_raw(Path(job.mask))
            zeros = {label.name: 0 for label in PARTS}
            correction = {
                "added_voxels": {**zeros, "ET": 4},
                "removed_voxels": zeros,
                "dice": {"WT": 0.9, "TC": 0.8, "ET": 0.7},
            }
        explained = isinstance(job, Reassess) and job.explain
        content = {**json.loads(document(mask, correction, **job.facts)), **self.more}
        if explained:
            content["explanation"] = EXPLANATION
            files |= {f"saliency:{one}": str(out / f"{n}.nrrd") for n, one in enumerate(ANSWERS)}
            for one in EXPLANATION["answers"]:
                (out / one["saliency"]["file"]).write_text("map")
        for name, file in files.items():
            if name in ("labels", "uncertainty") or name.startswith("saliency"):
                write_raw(mask, Path(file))
            else:
                Path(file).write_text(json.dumps(content) if name == "document" else name)
        return Finished(job.job, files)

    def _inspected(self, job: Inspect) -> Finished:
        if job.out:
            Path(job.out).mkdir(parents=True)
            for candidate in self.found["candidates"]:
                write_raw(raw(), Path(job.out) / f"{candidate['number']}.nrrd")
        return Finished(job.job, {}, self.found)


def found(question: str | None = None, **taken: str) -> dict[str, Any]:
    """What Inspect finds: the sequence of each file, by its name without ending."""
    candidates = [
        {
            "number": number,
            "name": f"volume {file}",
            "file": f"{file}.nrrd",
            "sequence": sequence,
            "confidence": 0.9,
            "evidence": ["named so"],
            "series_uid": None,
        }
        for number, (sequence, file) in enumerate(taken.items(), start=1)
    ]
    return {
        "candidates": candidates,
        "taken": {} if question else {c["sequence"]: c["number"] for c in candidates},
        "question": question,
        "findings": [],
        "facts": {"age_years": 61.0, "sex": "F"},
    }


def failed(reason: FailureReason, message: str) -> Failed:
    return Failed("", reason, message)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def settle(
    review: Review, clock: Clock, until: Callable[[ReviewState], bool] | None = None
) -> None:
    """Polls until the review is at rest, or as asked; threads get the time they need."""
    clock.now_s += 1.0
    for _ in range(2000):
        review.poll()
        if until is None and review.state.work is None and not review._due:
            return
        if until is not None and until(review.state):
            return
        time.sleep(0.002)
        clock.now_s += 0.01
    raise TimeoutError("the review does not come to rest")


def on_worker(state: ReviewState) -> bool:
    """Whether the worker's network runs."""
    return state.work is not None and state.work.stage == "segmentation"


def jobs_of(worker: FakeWorker, kind: type[Any]) -> list[Any]:
    """The jobs of one kind that the worker got."""
    return [job for job in worker.jobs if isinstance(job, kind)]
