"""A review with everything around it that a test drives."""

from pathlib import Path

from review_fakes import (
    Clock,
    FakeScene,
    FakeWorker,
    settle,
)

from GliomaAILib.review.review import Review
from GliomaAILib.review.settings import Settings
from GliomaAILib.review.state import ReviewState


class Desk:
    """A review with everything around it."""

    def __init__(self, tmp_path: Path, scene: FakeScene | None = None) -> None:
        self.scene = scene or FakeScene()
        self.worker = FakeWorker()
        self.clock = Clock()
        self.scratch = tmp_path / "scratch"
        self.review = self.open()

    def open(self, **settings: object) -> Review:
        return Review(self.scene, self.worker, Settings(self.scratch, **settings), self.clock)

    @property
    def state(self) -> ReviewState:
        return self.review.state

    def settle(self) -> None:
        settle(self.review, self.clock)

    def analysed(self) -> "Desk":
        self.settle()
        self.review.run()
        self.settle()
        assert self.state.has_result, self.state.outcome
        return self

    def why(self, command: str) -> str:
        assert not self.state.commands[command].enabled
        return str(self.state.commands[command].why)


def stage_of(state: ReviewState) -> str:
    return "" if state.work is None else state.work.stage


def taken(state: ReviewState) -> dict[str, str]:
    return {name: choice.volume for name, choice in state.sequences.items()}
