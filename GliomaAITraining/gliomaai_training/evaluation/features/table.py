"""The table of a cohort's deep features, in the form that `radiomics.further` reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training import __version__
from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.documents import check_format, read_document, write_document
from gliomaai_training.evaluation.features.networks import FeatureNetwork, shares, unseen_by
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.deep_features import FeatureReader
from gliomaai_training.inference.model_pack import sha256_of
from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.further import FOLD, PATIENT

STAGE = "deep features"
DIGITS = "%.6g"
FORMAT, VERSION = "gliomaai deep features", 1


@dataclass(frozen=True, eq=False)
class FeatureCohort:
    """Whose features are asked for."""

    patients: tuple[str, ...]
    """Each once."""
    load: Callable[[str], StoredCase]
    """Gives a patient's case."""
    regions: tuple[str, ...]
    """Of `networks.pooling.POOLED_REGIONS`: what the masks know."""
    simulated: bool = False
    made: str = ""
    """How images became volumes, where that is not plain."""

    def __post_init__(self) -> None:
        if len(set(self.patients)) < len(self.patients):
            twice = len(self.patients) - len(set(self.patients))
            raise ValueError(f"{twice} patients have several cases: a table has a row for each one")


@dataclass(frozen=True, eq=False)
class DeepFeatures:
    """A cohort's features, with where they come from."""

    rows: pd.DataFrame
    """`patient`, `fold` (the place of the network that read the patient), and the features."""
    provenance: Mapping[str, object]


def read_deep_features(
    cohort: FeatureCohort,
    networks: Sequence[FeatureNetwork],
    config: EngineConfig,
    progress: Progress = silent,
) -> DeepFeatures:
    """Reads every patient with a network that never saw them.

    Args:
        cohort: the patients.
        networks: to choose from, of one architecture.
        config: the engine.
        progress: told after each patient; may cancel.

    Raises:
        ValueError: a patient was seen by all networks, a case cannot be read, or the networks give
            different features.
    """
    reader_of = unseen_by(cohort.patients, networks, cohort.simulated)
    names: list[str] = []
    vectors: dict[str, NDArray[np.float32]] = {}
    for place, network in enumerate(networks):
        mine = [patient for patient, reader in reader_of.items() if reader == place]
        if not mine:
            continue
        with network.pack() as pack:
            reader = FeatureReader(pack, config)
            own = reader.names(cohort.regions)
            if names and own != names:
                raise ValueError("the networks differ in width, and so give different features")
            names = own
            for patient in mine:
                progress(STAGE, len(vectors) / len(cohort.patients))
                vectors[patient] = reader.vector(cohort.load(patient), cohort.regions)
    progress(STAGE, 1.0)
    keys = pd.DataFrame(
        {
            PATIENT: list(cohort.patients),
            FOLD: [reader_of[patient] for patient in cohort.patients],
        }
    )
    found = pd.DataFrame(np.stack([vectors[one] for one in cohort.patients]), columns=names)
    rows = pd.concat([keys, found], axis=1)
    return DeepFeatures(rows, _provenance(cohort, networks, shares(reader_of, len(networks))))


def _provenance(
    cohort: FeatureCohort, networks: Sequence[FeatureNetwork], read: Sequence[int]
) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_with": __version__,
        "networks": [
            {"fold": place, **network.told(), "patients": count}
            for place, (network, count) in enumerate(zip(networks, read, strict=True))
        ],
        "regions": list(cohort.regions),
        "mask": "the cohort's own segmentation",
        "volumes": cohort.made or "as they are",
        "guard": "no patient was learnt from or watched by the network of the row",
    }


def write_deep_features(found: DeepFeatures, table: Path) -> None:
    """Writes the table, and beside it (`.json`) where it comes from, with the table's hash."""
    table.parent.mkdir(parents=True, exist_ok=True)
    found.rows.to_csv(table, index=False, float_format=DIGITS)
    told = {**found.provenance, "table_sha256": sha256_of(table)}
    write_document(told, table.with_suffix(".json"))


def read_provenance(table: Path) -> Mapping[str, Any]:
    """Where a table comes from.

    Raises:
        ValueError: nothing beside it tells, or the table is not the one that was made.
    """
    file = table.with_suffix(".json")
    if not file.is_file():
        raise ValueError(
            f"{table.name} has no {file.name} beside it that tells whom its networks saw: make the "
            "table with `gliomaai-train features`"
        )
    told = check_format(read_document(file), FORMAT, VERSION)
    if told.get("table_sha256") != sha256_of(table):
        raise ValueError(
            f"{table.name} is not the table that {file.name} tells of: make it anew with "
            "`gliomaai-train features`"
        )
    return told
