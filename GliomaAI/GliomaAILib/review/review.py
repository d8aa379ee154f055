"""One case under review: takes commands, drives their work, and tells what to show."""

import dataclasses
import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review import chains
from GliomaAILib.review.activity import Activity, End, Outcome, Steps, WorkerPort
from GliomaAILib.review.availability import Situation, commands
from GliomaAILib.review.document import read
from GliomaAILib.review.export import ExportRequest, export
from GliomaAILib.review.measures import audit, measure_rows
from GliomaAILib.review.message import Message, translate
from GliomaAILib.review.recognition import Recognition, candidates, filled, notice
from GliomaAILib.review.running import ANALYSIS_PACE, EXPLANATION_PACE, Pace, Running
from GliomaAILib.review.settings import Settings
from GliomaAILib.review.state import Notice, ReviewState, SequenceChoice
from GliomaAILib.scene.port import CaseScene, SceneChange

SETTLE_S = 0.4
"""After a change of the scene so long without another, its consequences are computed."""


class Review:
    """The review of one case.

    A face gives commands, calls `poll` some twenty times a second, and draws `state` whenever the
    listener is called. Commands that are not enabled do nothing.
    """

    def __init__(
        self,
        scene: CaseScene,
        worker: WorkerPort,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes up the case as the scene kept it.

        Args:
            scene: the case's.
            worker: idle; it may go from one review to the next.
            settings: used from the next command on.
            clock: seconds.
        """
        self._scene, self._worker, self._clock = scene, worker, clock
        self.settings = settings
        self.missing: Message | None = None
        """What has to be installed before anything can run."""
        self._listener: Callable[[ReviewState], None] | None = None
        self._folder = settings.scratch / uuid.uuid4().hex
        self._record = scene.record()
        self._volumes = tuple(scene.volumes())
        self._seen = Recognition()
        self._question: Notice | None = None
        self._running: Running | None = None
        self._outcome: Notice | None = None
        self._files: Mapping[str, Path] = {}
        self._network_files: Mapping[str, Path] = {}
        self._now_ml: Mapping[str, float] = {}
        self._counted_s = 0.0
        self._edits = 0
        self._due: dict[SceneChange, float] = {}
        self._state = ReviewState()
        self._after(SceneChange.VOLUMES)
        if self._record.document:
            self._after(SceneChange.MASK)
        scene.listen(self._scene_changed)
        self._tell()

    @property
    def state(self) -> ReviewState:
        """What there is to show now."""
        return self._state

    def listen(self, listener: Callable[[ReviewState], None] | None) -> None:
        """Tells one listener of every new state, the present one first; None ends it."""
        self._listener = listener
        if listener is not None:
            listener(self._state)

    def close(self) -> None:
        """Lets go of scene and worker; what is under way is lost, and nothing of it is left."""
        self._scene.listen(None)
        self._listener = None
        if self._running is not None:
            self._running.activity.close()
            self._running = None
        shutil.rmtree(self._folder, ignore_errors=True)

    # Commands.

    def choose(self, sequence: str, volume: str) -> None:
        """Takes a volume, or none where it is empty, for a sequence; recognition obeys.

        Raises:
            ValueError: there is no such sequence.
        """
        if sequence not in SEQUENCES:
            raise ValueError(f"{sequence!r} is none of {', '.join(SEQUENCES)}")
        if self._record.sequences.get(sequence, "") == volume:
            return
        sequences = {**self._record.sequences, sequence: volume}
        by_hand = tuple(name for name in SEQUENCES if name in {*self._record.by_hand, sequence})
        chosen = dataclasses.replace(
            self._record,
            sequences={name: one for name, one in sequences.items() if one},
            by_hand=by_hand,
        )
        self._record = filled(chosen, self._seen, self._volumes)
        self._keep()
        self._after(SceneChange.VOLUMES)

    def recognise(self) -> None:
        """Recognises the sequences anew; what the user chose is forgotten."""
        self._keep(by_hand=())
        self._seen = Recognition()
        self._start_recognition()

    def set_facts(self, facts: ClinicalFacts) -> None:
        """Takes what the user knows of the patient; a result is then out of date."""
        if facts != self._record.facts:
            self._keep(facts=facts, out_of_date=bool(self._record.document))

    def open_study(self, study: Path) -> None:
        """Loads a study folder, or one file, and recognises its sequences."""
        steps = chains.opening(self._scene, study, self._scratch(), self._opened)
        self._start(Message(translate("GliomaAI", "Opening the study")), steps)

    def open_sample(self, seed: int = 1) -> None:
        """Makes a synthetic patient and loads it."""
        steps = chains.sample(self._scene, seed, self._scratch(), self._opened)
        self._start(Message(translate("GliomaAI", "Making a synthetic patient")), steps)

    def run(self) -> None:
        """Segments and assesses; an earlier result of the case is replaced."""
        if self._state.commands["run"].enabled:
            steps = chains.analysis(
                self._scene, self._record, self.settings.options, self._scratch(), self._analysed
            )
            self._start(Message(translate("GliomaAI", "Analysing")), steps, ANALYSIS_PACE)

    def reassess(self) -> None:
        """Assesses the corrected mask."""
        if self._state.commands["reassess"].enabled:
            self._start(
                Message(translate("GliomaAI", "Assessing the corrected mask")), self._reassessment()
            )

    def explain(self) -> None:
        """Assesses the mask as it is now and explains the network's answers."""
        if self._state.commands["explain"].enabled:
            title = Message(translate("GliomaAI", "Explaining the network's answers"))
            self._start(title, self._reassessment(explain=True), EXPLANATION_PACE)

    def cancel(self) -> None:
        """Stops what is under way."""
        if self._running is not None:
            self._running.activity.cancel()

    def restore_network_mask(self) -> None:
        """Makes the mask the network's own again."""
        if not self._state.commands["restore"].enabled:
            return
        self._record = chains.restored(self._scene, self._record)
        self._files = self._network_files
        self._count()
        self._keep()

    def export(self, request: ExportRequest) -> None:
        """Writes the results; what is out of date is assessed first."""
        if self._state.commands["export"].enabled:
            done = Message(
                translate("GliomaAI", "Exported to {folder}."),
                {"folder": request.folder / request.name},
            )
            self._start(
                Message(translate("GliomaAI", "Exporting")), self._export(request), finished=done
            )

    def save_training_case(self, cohort: Path, case: str) -> None:
        """Keeps images and mask as a case of a training cohort."""
        if self._state.commands["save_case"].enabled:
            steps = chains.training_case(self._scene, self._record, self._scratch(), cohort, case)
            done = Message(
                translate("GliomaAI", "{case} is kept in {folder}."),
                {"case": case, "folder": cohort},
            )
            self._start(
                Message(translate("GliomaAI", "Saving the training case")), steps, finished=done
            )

    def poll(self) -> None:
        """Goes on with what is under way and with what is due."""
        if self._running is not None:
            outcome = self._running.activity.poll()
            if outcome is not None:
                self._ended(self._running, outcome)
        now_s = self._clock()
        for change, due_s in list(self._due.items()):
            if now_s >= due_s:
                self._attend_to(change)
        self._reassess_by_itself(now_s)
        self._tell()

    # Chains.

    def _start(
        self,
        title: Message,
        steps: Steps,
        pace: Pace = Pace(),  # noqa: B008 - frozen
        finished: Message | None = None,
    ) -> None:
        if self._running is not None:
            steps.close()
            return
        self._outcome = None
        activity = Activity(steps, self._worker)
        self._running = Running(title, activity, self._clock(), pace, finished)
        self._tell()

    def _ended(self, running: Running, outcome: Outcome) -> None:
        self._running = None
        if outcome.end is End.CANCELLED:
            self._outcome = Notice(
                Severity.INFO, Message(translate("GliomaAI", "Stopped; nothing was changed."))
            )
        elif outcome.message is not None:
            self._outcome = Notice(Severity.BLOCKING, outcome.message)
        elif running.finished is not None:
            self._outcome = Notice(Severity.INFO, running.finished)

    def _reassessment(self, explain: bool = False) -> Steps:
        edits = self._edits
        return chains.reassessment(
            self._scene,
            self._record,
            self._scratch(),
            lambda assessed: self._reassessed(assessed, edits),
            explain,
        )

    def _export(self, request: ExportRequest) -> Steps:
        stale = self._record.out_of_date
        if stale or not self._files:
            was_explained = bool(read(self._record.document).get("explanation"))
            yield from self._reassessment(explain=was_explained and not stale)
        document = json.loads(self._record.document)
        yield from export(self._scene, request, self._files, document)

    def _start_recognition(self) -> None:
        volumes, self._question = candidates(self._volumes, self._record)
        if volumes and self._running is None and self.missing is None:
            steps = chains.inspection(self._scene, volumes, self._scratch(), self._recognised)
            self._start(Message(translate("GliomaAI", "Looking at the volumes")), steps)

    # What came of them.

    def _recognised(self, seen: Recognition) -> None:
        self._seen = seen
        self._record = filled(self._record, seen, self._volumes)
        self._scene.keep(self._record)

    def _opened(self, seen: Recognition) -> None:
        self._volumes = tuple(self._scene.volumes())
        self._record = dataclasses.replace(self._record, by_hand=())
        self._recognised(seen)

    def _analysed(self, assessed: chains.Assessed) -> None:
        self._files = self._network_files = assessed.files
        self._record = chains.kept(self._record, assessed, is_network=True)
        self._scene.keep(self._record)
        self._edits = 0
        self._now_ml = {}  # the document has them

    def _reassessed(self, assessed: chains.Assessed, edits: int) -> None:
        self._files = assessed.files
        self._record = chains.kept(self._record, assessed, is_network=False)
        if edits != self._edits:  # somebody went on painting meanwhile
            self._record = dataclasses.replace(self._record, out_of_date=True)
        self._scene.keep(self._record)

    # What others do to the scene.

    def _scene_changed(self, change: SceneChange) -> None:
        if change is SceneChange.CASE_REMOVED:
            self.close()
            return
        if change is SceneChange.MASK and self._record.document:
            self._edits += 1
            if not self._record.out_of_date:
                self._keep(out_of_date=True)
        if change is SceneChange.MASK_REMOVED:
            self._now_ml = {}
            self._outcome = Notice(
                Severity.WARNING,
                Message(translate("GliomaAI", "The segmentation was deleted.")),
                Message(translate("GliomaAI", "Run the analysis again, or undo the deletion.")),
            )
        self._after(change)

    def _after(self, change: SceneChange) -> None:
        self._due[change] = self._clock() + SETTLE_S

    def _attend_to(self, change: SceneChange) -> None:
        if change is SceneChange.MASK:
            del self._due[change]
            self._count()
        elif self._running is None:
            del self._due[change]
            self._volumes = tuple(self._scene.volumes())
            self._record = self._scene.record()
            news = {v.id for v in self._volumes} - set(self._seen.choices)
            if not self._record.document and (news or self._question is not None):
                self._start_recognition()

    def _reassess_by_itself(self, now_s: float) -> None:
        after_s = self.settings.reassess_after_s
        if after_s is None or not self._state.commands["reassess"].enabled:
            return
        if SceneChange.MASK not in self._due and now_s >= self._counted_s + after_s:
            self.reassess()

    def _count(self) -> None:
        self._counted_s = self._clock()
        self._now_ml = self._scene.volumes_ml()

    # Telling.

    def _keep(self, **changes: Any) -> None:
        self._record = dataclasses.replace(self._record, **changes)
        self._scene.keep(self._record)
        self._tell()

    def _scratch(self) -> Path:
        return self._folder / uuid.uuid4().hex

    def _tell(self) -> None:
        state = self._drawn()
        if state != self._state:
            self._state = state
            if self._listener is not None:
                self._listener(state)

    def _drawn(self) -> ReviewState:
        record = self._record
        document, network = read(record.document), read(record.network_document)
        return ReviewState(
            sequences={name: self._choice(name) for name in SEQUENCES},
            facts=record.facts,
            notices=self._notices(document),
            work=None if self._running is None else self._running.work(self._clock()),
            outcome=self._outcome,
            commands=commands(self._situation(document)),
            has_result=bool(document),
            analysis=read(record.analysis).get("job", ""),
            out_of_date=record.out_of_date,
            corrected=bool(document and document["correction"]),
            measures=measure_rows(document, network, self._now_ml, record.out_of_date),
            audit=audit(document),
            report=self._files.get("report"),
            document=document,
        )

    def _choice(self, sequence: str) -> SequenceChoice:
        volume = self._record.sequences.get(sequence, "")
        if sequence in self._record.by_hand:
            return SequenceChoice(volume, by_hand=True)
        return self._seen.choices.get(volume, SequenceChoice(volume))

    def _situation(self, document: Mapping[str, Any]) -> Situation:
        running = self._running
        return Situation(
            self._record,
            self._volumes,
            busy=None if running is None else running.title,
            cancellable=running is None or running.activity.cancellable,
            missing=self.missing,
            corrected=bool(document and document["correction"]),
            edited=self._edits > 0,
            document=document,
        )

    def _notices(self, document: Mapping[str, Any]) -> tuple[Notice, ...]:
        if document:
            return tuple(notice(finding) for finding in document["findings"])
        question = () if self._question is None else (self._question,)
        return (*question, *self._seen.notices)
