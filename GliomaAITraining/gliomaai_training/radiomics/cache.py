"""Measured cases on disk, found by the content of what was measured and how."""

import hashlib
import json
import os
import tempfile
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.radiomics.config import RadiomicsConfig
from gliomaai_training.radiomics.extract import FeatureVector, RegionState, feature_columns

MEASURING = (
    "config",
    "diameters",
    "discretise",
    "extract",
    "filters",
    "first_order",
    "glcm",
    "gldm",
    "glrlm",
    "glszm",
    "images",
    "mesh",
    "neighbourhood",
    "ngtdm",
    "region",
    "shape",
    "size_matrix",
    "sums",
)
"""Modules of this package on which a feature's value depends."""


@cache
def code_version() -> str:
    """Digest of the modules that compute features: another code, another cache entry."""
    digest = hashlib.sha256()
    folder = package_files("gliomaai_training.radiomics")
    for name in MEASURING:
        digest.update((folder / f"{name}.py").read_bytes())
    return digest.hexdigest()


def cache_key(files: CaseFiles, config: RadiomicsConfig) -> str:
    """Digest of images, mask, configuration and code. Names and places of files do not count."""
    digest = hashlib.sha256(f"{config.fingerprint()} {code_version()}".encode())
    wanted = {name: file for name, file in files.sequences.items() if name in config.sequences}
    if files.segmentation is not None:
        wanted["segmentation"] = files.segmentation
    for name, file in sorted(wanted.items()):
        with file.open("rb") as stream:
            digest.update(f"{name} {hashlib.file_digest(stream, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()


def load_features(
    folder: Path, key: str, case: str, config: RadiomicsConfig
) -> FeatureVector | None:
    """What `save_features` wrote for a key; None if there is nothing, or it is damaged."""
    try:
        content = json.loads((folder / f"{key}.json").read_text("utf-8"))
        numbers = [np.nan if value is None else float(value) for value in content["values"]]
        values = dict(zip(feature_columns(config), numbers, strict=True))
        states = {name: RegionState(state) for name, state in content["states"].items()}
        return FeatureVector(case, values, states, content["voxels"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_features(folder: Path, key: str, vector: FeatureVector) -> None:
    """Writes a case's features; a reader sees all of the file or none.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "values": [None if np.isnan(value) else value for value in vector.values.values()],
        "states": dict(vector.states),
        "voxels": dict(vector.voxels),
    }
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(content, stream)
    os.replace(name, folder / f"{key}.json")
