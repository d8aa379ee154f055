"""How long work tells where it is, and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the stage's name and the fraction of that stage done, 0 to 1.

It cancels the work by raising `Cancelled`; stages call it often and leave nothing half-written.
"""


class Cancelled(Exception):  # noqa: N818 - a cancelled run is no error
    """The user stopped the run."""


def silent(stage: str, fraction: float) -> None:
    """A progress callback that says nothing and never cancels."""
