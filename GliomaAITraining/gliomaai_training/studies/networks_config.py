"""Which networks are compared, as a YAML file lists them."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gliomaai_training.training.config import Recipe, read_recipe


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkRow(_Frozen):
    """One configuration."""

    name: str = Field(min_length=1)
    recipe: Path
    """Beside the list, or a path from there."""
    changes: dict[str, Any] = {}
    """To the recipe, by path."""
    seeds: tuple[int, ...] = Field((1,), min_length=1)
    subsets: bool = False
    """Whether it is judged through all 15 subsets of the sequences, or through all four alone."""


class NetworksConfig(_Frozen):
    """What is compared on one simulated cohort."""

    table: Path
    """The cohort's `patients.csv`, below the root of the data."""
    reference: str
    """The row that the others' differences are to."""
    folds: tuple[int, ...] = Field((0,), min_length=1)
    """Whom the networks are judged on: those whom they leave out."""
    rows: tuple[NetworkRow, ...]
    adaptations: tuple[tuple[str, str], ...] = ()
    """Pairs of rows, adapted to missing sequences and not, whose subsets are compared."""
    calibrated: tuple[str, ...] = ()
    """Rows whose probabilities are judged before and after temperature scaling."""
    folder: Path
    """Where the recipes' paths begin."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"two rows share a name: {', '.join(names)}")
        in_pairs = [name for pair in self.adaptations for name in pair]
        for name in (self.reference, *in_pairs, *self.calibrated):
            if name not in names:
                raise ValueError(f"{name!r} is none of the rows {', '.join(names)}")
        with_subsets = {row.name for row in self.rows if row.subsets}
        if lacking := sorted(set(in_pairs) - with_subsets):
            raise ValueError(f"{', '.join(lacking)} must be judged through subsets too")
        return self

    def recipe(self, row: NetworkRow, seed: int) -> Recipe:
        """A row's recipe with one of its seeds.

        Raises:
            ValueError: as `read_recipe`.
        """
        return read_recipe(self.folder / row.recipe, {**row.changes, "seed": seed})


def read_networks(file: Path) -> NetworksConfig:
    """Reads the list and checks every recipe in it, so that none fails after hours.

    Raises:
        ValueError: a field is missing or wrong, or a recipe cannot be read or changed so.
    """
    content = yaml.safe_load(file.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is no YAML mapping")
    config = NetworksConfig(**content, folder=file.parent)
    for row in config.rows:
        for seed in row.seeds:
            config.recipe(row, seed)
    return config
