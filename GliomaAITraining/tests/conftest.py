"""What several tests of the training package share."""

from pathlib import Path

import pytest
import torch
from cohort_makers import write_cohort

# Tiny volumes gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)


@pytest.fixture
def tiny_cohort(tmp_path: Path) -> Path:
    """The table of six cases of five patients."""
    return write_cohort(tmp_path / "cohort", ["A", "B", "C", "D", "E", "A"])
