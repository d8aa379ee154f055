"""What holds for every test of the project."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No test fails because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _same_excepthook() -> Iterator[None]:
    """The command line sets a hook for its process; the tests share one process."""
    hook = sys.excepthook
    yield
    sys.excepthook = hook
