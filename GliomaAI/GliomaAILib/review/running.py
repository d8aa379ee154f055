"""The command that a review has under way, and how much of it is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from GliomaAILib.review.activity import Activity
from GliomaAILib.review.message import Message
from GliomaAILib.review.state import Work

EARLIEST_GUESS = 0.05
"""Before so much is done, the time left would be a guess."""


@dataclass(frozen=True)
class Pace:
    """How long the stages of an analysis usually take, to tell how much is left."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage, in the order of the run."""

    def done(self, stage: str, fraction: float) -> float | None:
        """The part of the whole that is done, 0 to 1; None in a stage of unknown length."""
        names = list(self.seconds)
        if stage not in names:
            return None
        before = sum(self.seconds[name] for name in names[: names.index(stage)])
        return (before + fraction * self.seconds[stage]) / sum(self.seconds.values())

    def left_s(self, stage: str, fraction: float, elapsed_s: float) -> float | None:
        """Seconds left, by the pace of this run so far; None as long as nobody could say."""
        done = self.done(stage, fraction)
        if done is None or done < EARLIEST_GUESS:
            return None
        return elapsed_s * (1 - done) / done


ANALYSIS_PACE = Pace(
    {
        "reading": 1.5,
        "brain mask": 2.0,
        "registration": 4.0,
        "bias field": 0.1,
        "resampling": 0.5,
        "checks": 0.5,
        "segmentation": 5.0,
        "measures": 2.5,
        "write results": 2.0,
    }
)
"""Of a study of four sequences on two cores; only the proportions matter."""


EXPLANATION_PACE = Pace(
    {
        "measures": 1.0,
        "importance of sequences": 8.0,
        "saliency": 45.0,
        "sanity check": 45.0,
        "write results": 1.0,
    }
)
"""Of four answers; only the proportions matter."""


@dataclass(frozen=True)
class Running:
    """One command under way."""

    title: Message
    activity: Activity
    begun_s: float
    pace: Pace
    finished: Message | None
    """What to tell when it is done."""

    def work(self, now_s: float) -> Work:
        """What there is to show of it."""
        where = self.activity.stage, self.activity.fraction
        left_s = self.pace.left_s(*where, now_s - self.begun_s)
        return Work(self.title, *where, self.pace.done(*where), left_s)
