"""What a review asks of the scene that shows it.

No slicer here: a review runs without one, and a browser's scene answers the same questions.
Points are RAS mm of the patient.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.raw_volume import RawVolume

Point = tuple[float, float, float]

Work = Callable[[], Any]
"""Work on arrays that nobody else has: it may be done in a thread."""


def no_work() -> None:
    """A turn for the window, and nothing else."""


class SceneError(RuntimeError):
    """The scene cannot give or show what was asked for; the message says what to do."""


class SceneChange(Enum):
    """What somebody else did to the scene."""

    VOLUMES = auto()
    """A volume was added, removed, renamed or replaced."""
    MASK = auto()
    """The tumour's mask was edited."""
    MASK_REMOVED = auto()
    """The segmentation itself was deleted."""
    CASE_REMOVED = auto()
    """The case was deleted or the scene is being closed: let go of everything."""


@dataclass(frozen=True)
class LoadedVolume:
    """A scalar volume of the scene that could be a sequence."""

    id: str
    """How the scene names it, for as long as it is there."""
    name: str
    header: Mapping[str, Any] = field(default_factory=dict)
    """Acquisition parameters with the names and units of BIDS (`EchoTime` in seconds), where the
    volume came from DICOM; no identifier."""
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    """Age and sex, where the volume came from DICOM."""
    examination: str = ""
    """A one-way mark of patient and study: two volumes of one examination have the same; empty
    where unknown."""


@dataclass(frozen=True)
class CaseRecord:
    """Everything of a case that is kept with the scene and there again when it is opened."""

    sequences: Mapping[str, str] = field(default_factory=dict)
    """Volume id by sequence; a sequence that is left out has none."""
    by_hand: tuple[str, ...] = ()
    """Sequences that the user chose; recognition leaves them alone."""
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    """What the user entered or accepted."""
    analysis: str = ""
    """JSON of the `worker.protocol.Analyze` whose result is shown; empty without one."""
    document: str = ""
    """`assessment.json` of what is shown; empty without a result."""
    network_document: str = ""
    """`assessment.json` of the network's own mask."""
    out_of_date: bool = False
    """Whether mask or facts were changed after `document` was made."""


@dataclass(frozen=True)
class Diameter:
    """One measured line to draw."""

    name: str
    ends: tuple[Point, Point]


@dataclass(frozen=True)
class Result:
    """What the scene is to show of a new analysis."""

    reference: str
    """Id of the volume on whose grid the labels lie."""
    labels: RawVolume
    """UInt8 `vocabulary.Label` values."""
    uncertainty: RawVolume
    """UInt8, hundredths of a bit."""
    diameters: Sequence[Diameter]


NOTHING_SALIENT = 128
"""Of a saliency map in the scene: below speaks against the answer, above for it."""


@dataclass(frozen=True)
class SaliencyMap:
    """Where in the images an answer comes from."""

    answer: str
    """Of the document's explanation, for example `idh:mutant`."""
    words: str
    """As readers know it."""
    volume: RawVolume
    """UInt8 about `NOTHING_SALIENT`, on the reference grid."""


class CaseScene(Protocol):
    """One case in a scene.

    What takes long is done in turns, so that a window stays alive: a generator gives work that is
    to be done elsewhere, is sent what came of it, and goes on on the thread that runs the scene.
    """

    @property
    def name(self) -> str:
        """What the case is called there."""

    def listen(self, listener: Callable[[SceneChange], None] | None) -> None:
        """Tells one listener what others do to the scene, on the thread that runs the scene; what
        is done through this interface is not told. None ends it."""

    def volumes(self) -> Sequence[LoadedVolume]:
        """The scene's scalar volumes, label maps and overlays of cases left out."""

    def snapshot(self, volume: str) -> RawVolume:
        """A copy of a volume in world coordinates.

        Raises:
            SceneError: it is gone, empty, or under a transform that is not linear.
        """

    def add_volume(self, name: str, volume: RawVolume) -> Generator[Work, Any, str]:
        """Adds a volume, in turns; returns its id."""

    def record(self) -> CaseRecord:
        """What is kept; ids of volumes that are gone are left out."""

    def keep(self, record: CaseRecord) -> None:
        """Replaces what is kept."""

    def show(self, result: Result) -> Generator[Work, Any, None]:
        """Shows a new analysis, in turns: an earlier one of this case is replaced, its corrections
        too. All of it appears with the last turn; closed before, the scene is as it was.

        Raises:
            SceneError: the reference volume is gone, or was changed meanwhile.
        """

    def show_saliency(self, maps: Sequence[SaliencyMap]) -> Generator[Work, Any, None]:
        """Replaces the saliency maps, in turns; they are there to be looked at, not yet seen. All
        of them appear with the last turn; closed before, the scene is as it was.

        Raises:
            SceneError: there is no result to lay them over.
        """

    def remove_saliency(self) -> None:
        """Takes the saliency maps away: what they explained is no longer shown."""

    def show_diameters(self, diameters: Sequence[Diameter]) -> None:
        """Replaces the measured lines."""

    def mask(self) -> RawVolume:
        """A copy of the mask as it is now, UInt8 `vocabulary.Label` values on the reference grid.

        Raises:
            SceneError: there is none, or it cannot be brought to the reference grid.
        """

    def network_mask(self) -> RawVolume:
        """The network's own mask, as `show` got it.

        Raises:
            SceneError: there is none.
        """

    def restore_network_mask(self) -> None:
        """Makes the mask the network's own again, as one step that can be undone."""

    def volumes_ml(self) -> Mapping[str, float]:
        """Volume by NCR, ED, ET, TC and WT of the mask as it is now; empty without a mask."""

    def export(self, folder: Path, kinds: Sequence[str]) -> Sequence[Path]:
        """Writes the mask (`seg.nrrd`, `stl`) or the whole scene (`mrb`) into a folder.

        Raises:
            SceneError: it cannot be written.
        """
