"""`gliomaai-train radiomics`: measures the regions of every case of a cohort."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training import __version__
from gliomaai_training.radiomics.config import (
    FEATURE_CLASSES,
    FEATURE_REGIONS,
    Discretisation,
    FilterConfig,
    RadiomicsConfig,
    config_from_json,
)
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from gliomaai_training.radiomics.cohort import CohortFeatures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train radiomics`."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the cohort tables")
    add("--table", type=Path, required=True, help="cohort's table, in DATA")
    add("--out", type=Path, required=True, help="CSV of features; what goes with it stands beside")
    add("--config", type=Path, help="JSON as this command writes it; then no option of the recipe")
    add("--cohort", help="the cohort's name (default: the table's)")
    add("--workers", type=int, default=1, metavar="K", help="cases at a time (default 1)")
    add(
        "--features",
        type=Path,
        metavar="TABLE",
        help="CSV of a network's out-of-fold features (patient, fold, deep_...) to stand beside",
    )
    add("--cache", type=Path, help="folder of measured cases (default: OUT's, radiomics-cache)")
    recipe = parser.add_argument_group("recipe")
    add = recipe.add_argument
    add("--regions", nargs="+", choices=tuple(FEATURE_REGIONS), metavar="REGION")
    add("--sequences", nargs="+", choices=SEQUENCES, metavar="SEQUENCE")
    add("--classes", nargs="+", choices=FEATURE_CLASSES, metavar="CLASS")
    add("--bin-width", type=float, help="in units of the normalised image (default 25)")
    add("--bin-number", type=int, help="bins between a region's extremes, instead of a width")
    add("--normalisation", choices=("brain", "none"))
    add("--voxel-mm", type=float, help="resample to cubic voxels of this edge")
    add("--log-mm", type=float, nargs="+", metavar="SIGMA", help="Laplacians of Gaussian")
    add("--wavelet", help="wavelet sub-bands, for example coif1")


def run(arguments: argparse.Namespace) -> int:
    """Writes the tables; returns 1 if no case could be measured."""
    from tqdm import tqdm

    from gliomaai_training.cohorts.manifest import read_manifest
    from gliomaai_training.radiomics.cohort import extract_cohort, with_further
    from gliomaai_training.radiomics.further import read_further_features

    config = recipe_of(arguments)
    further = None if arguments.features is None else read_further_features(arguments.features)
    cohort = arguments.cohort or arguments.table.stem
    files = read_manifest(arguments.data / arguments.table, cohort)
    cache = arguments.cache or arguments.out.parent / "radiomics-cache"
    with tqdm(total=len(files), unit="case", disable=None) as bar:

        def advance(_: str, done: float) -> None:
            bar.update(round(done * len(files)) - bar.n)

        found = extract_cohort(files, config, arguments.workers, cache, advance)
    if further is not None:
        found = with_further(found, further)
    write_tables(found, config, arguments.out)
    return 0 if len(found.features) else 1


def recipe_of(arguments: argparse.Namespace) -> RadiomicsConfig:
    """The configuration that the options describe.

    Raises:
        ValueError: an impossible value, or options beside a configuration file.
    """
    given: dict[str, object] = {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name in ("regions", "sequences", "classes", "normalisation", "voxel_mm")
        if (value := getattr(arguments, name)) is not None
    }
    if arguments.bin_width is not None or arguments.bin_number is not None:
        given["discretisation"] = Discretisation(arguments.bin_width, arguments.bin_number)
    if arguments.log_mm or arguments.wavelet:
        given["filters"] = FilterConfig(tuple(arguments.log_mm or ()), arguments.wavelet)
    if arguments.config is None:
        return RadiomicsConfig(**given)  # type: ignore[arg-type]
    if given:
        raise ValueError(f"{arguments.config} holds the whole recipe: leave out {sorted(given)}")
    content = json.loads(arguments.config.read_text("utf-8"))
    return config_from_json(content.get("config", content))


def write_tables(found: "CohortFeatures", config: RadiomicsConfig, out: Path) -> None:
    """Writes `OUT.csv`, and beside it what was measured of each region, what failed, what the
    features are, and how they were made."""
    from gliomaai_training.radiomics.cache import code_version
    from gliomaai_training.radiomics.dictionary import feature_dictionary

    out.parent.mkdir(parents=True, exist_ok=True)
    found.features.to_csv(out, index=False)
    found.regions.to_csv(out.with_name(f"{out.stem}.regions.csv"), index=False)
    found.failures.to_csv(out.with_name(f"{out.stem}.failures.csv"), index=False)
    feature_dictionary().to_csv(out.with_name(f"{out.stem}.dictionary.csv"), index=False)
    told = {
        "config": config.to_json(),
        "version": __version__,
        "code": code_version(),
        "cases": len(found.features),
        "failures": len(found.failures),
    }
    out.with_name(f"{out.stem}.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
