"""What the panels of one case work on, and what a panel is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from GliomaAILib.review.review import Review
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.views import CaseViews


@dataclass(frozen=True)
class Desk:
    """One case on the screen."""

    review: Review
    scene: MRMLCaseScene
    views: CaseViews


class Panel(ABC):
    """A section of the module's panel."""

    widget: Any
    """The section itself, to be put into a layout."""
    _desk: Desk | None = None

    def bind(self, desk: Desk | None) -> None:
        """Works for another case from now on; None where there is none."""
        self._desk = desk
        self.widget.enabled = desk is not None

    @abstractmethod
    def draw(self, state: ReviewState) -> None:
        """Shows a state, completely."""

    def given(self, command: Callable[[Desk], object]) -> Callable[[], None]:
        """What a button does: a command to the case on the desk, where there is one."""

        def act() -> None:
            if self._desk is not None:
                command(self._desk)

        return act
