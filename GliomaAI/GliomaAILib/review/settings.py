"""What the user sets once for all cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Settings of the application, not of a case."""

    scratch: Path
    """Folder for files between the processes; emptied when a case is closed."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    model: Path | None = None
    """Another segmentation pack than the shipped one."""
    bias_field: bool = False
    """Whether N4 runs first."""
    reassess_after_s: float | None = None
    """Reassess by itself after so long without an edit; None: only when asked."""

    @property
    def options(self) -> Mapping[str, Any]:
        """As `worker.protocol.Analyze` takes them."""
        options: dict[str, Any] = {
            "engine": {"device": self.device},
            "preparation": {"n4": self.bias_field},
        }
        if self.model is not None:
            options["model"] = str(self.model)
        return options
