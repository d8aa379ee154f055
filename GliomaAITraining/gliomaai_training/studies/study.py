"""What a study is: a function from settings to a result, which is written by `studies.folder`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pandas as pd

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.progress import Progress

RESAMPLES = 1000


class Documented(Protocol):
    """What JSON can hold."""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""


@dataclass(frozen=True)
class StudySettings:
    """What the user of a study chooses; everything else is fixed in the study's module."""

    data: Path
    """The root of the data."""
    seed: int = 1
    """Of the bootstrap, folds and permutations."""
    resamples: int = RESAMPLES
    """Of every bootstrap; permutations in the controls."""
    cache: Path | None = None
    """Folder of measurements that take long; None to keep none."""
    masks: Path | None = None
    """Folder of held-out masks (`evaluation.predicted_masks`), for the studies that ask for it."""
    features: Path | None = None
    """Table of out-of-fold features (`radiomics.further`), or folder of them, for the studies that
    take it."""
    networks: Path | None = None
    """List of networks to compare (`networks_config`), for the study that trains them."""

    def __post_init__(self) -> None:
        if self.resamples < 2:
            raise ValueError(f"needs at least 2 resamples, not {self.resamples}")
        if self.seed < 0:
            raise ValueError(f"a seed is not negative, as {self.seed} is")

    @property
    def bootstrap(self) -> BootstrapConfig:
        """How intervals are made."""
        return BootstrapConfig(resamples=self.resamples)


@dataclass(frozen=True, eq=False)
class StudyTable:
    """One table, with what it says."""

    name: str
    """Stem of its files."""
    title: str
    frame: pd.DataFrame
    """Cells as they are to be read."""
    reading: str = ""
    """A few plain sentences under the table."""
    in_summary: bool = True
    """Whether it is short enough to be read; its files are written in any case."""


@dataclass(frozen=True)
class StudyFigure:
    """One figure, drawn when the folder is written."""

    name: str
    """Stem of its files."""
    title: str
    draw: Callable[[Path], None]
    """Draws it into a file whose suffix names the format."""
    for_summary: bool = False
    """Worth a place in the documentation."""


@dataclass(frozen=True, eq=False)
class StudyResult:
    """Everything that a study found."""

    title: str
    purpose: str
    """What was asked and how it was answered, in a paragraph."""
    tables: tuple[StudyTable, ...]
    inputs: tuple[Path, ...]
    """Files that were read, below the root of the data; folders stand for all their files."""
    config: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """What the study's module fixed."""
    figures: tuple[StudyFigure, ...] = ()
    models: Mapping[str, Documented] = field(default_factory=lambda: MappingProxyType({}))
    """Fitted models, and what belongs to them (nomograms, groups), by stem of the file."""
    limits: tuple[str, ...] = ()
    """What has to be said with every number here."""


StudyFunction = Callable[[StudySettings, Progress], StudyResult]
