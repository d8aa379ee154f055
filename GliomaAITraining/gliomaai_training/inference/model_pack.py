"""Model packs: a MONAI bundle folder whose every file is checked against its SHA-256 before use.

NAME/
    configs/metadata.json     MONAI bundle metadata, with our own section `gliomaai`
    models/model.safetensors  weights of a network; nothing is ever unpickled
    models/*.json             statistical models, where the pack is of those
    docs/README.md            the model card
    LICENSE
    manifest.json             SHA-256 of every other file
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"
METADATA = "configs/metadata.json"
WEIGHTS = "models/model.safetensors"
MODELS = "models"
"""Folder of the weights, or of statistical models as JSON: a pack has one or the other."""
CARD = "docs/README.md"


class ModelPackError(ValueError):
    """A model pack is missing, incomplete or damaged."""


@dataclass(frozen=True)
class ModelPack:
    """A verified model pack on disk."""

    folder: Path
    name: str
    version: str
    settings: Mapping[str, Any]
    """The metadata's section `gliomaai`: `task`, `network` (its configuration), `calibration`,
    `postprocessing` ..."""
    sha256: str
    """Hash of the manifest: one value that stands for the whole pack."""

    def weights(self) -> "dict[str, Tensor]":
        """The network's state on the CPU; floating-point values in float32.

        Raises:
            ModelPackError: the pack is of statistical models.
        """
        from safetensors.torch import load_file

        if not (self.folder / WEIGHTS).is_file():
            raise ModelPackError(f"model pack {self.name} holds no network")
        stored = load_file(self.folder / WEIGHTS)
        return {n: v.float() if v.is_floating_point() else v for n, v in stored.items()}


def load_model_pack(folder: Path) -> ModelPack:
    """Verifies every file of a pack and reads its metadata.

    Raises:
        ModelPackError: a file is missing, unlisted or not what the manifest says.
    """
    manifest_file = folder / MANIFEST
    if not manifest_file.is_file():
        raise ModelPackError(f"{folder} is no model pack: it has no {MANIFEST}")
    content = manifest_file.read_bytes()
    try:
        listed: dict[str, str] = dict(json.loads(content)["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelPackError(f"{manifest_file} cannot be read: {error}") from error
    _verify(folder, listed)
    try:
        metadata = json.loads((folder / METADATA).read_text("utf-8"))
        name, version, settings = (metadata[key] for key in ("name", "version", "gliomaai"))
    except (ValueError, KeyError, TypeError) as error:
        raise ModelPackError(f"{folder / METADATA} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise ModelPackError(f"{folder / METADATA} cannot be read: gliomaai is no section")
    return ModelPack(folder, name, version, settings, hashlib.sha256(content).hexdigest())


def _verify(folder: Path, listed: Mapping[str, str]) -> None:
    model = next((name for name in sorted(listed) if _is_statistical(name)), WEIGHTS)
    for required in (METADATA, model, CARD):
        if required not in listed:
            raise ModelPackError(f"the manifest of {folder} does not list {required}")
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for name in sorted(present - {MANIFEST} - listed.keys()):
        raise ModelPackError(f"{folder} holds {name}, which its manifest does not list")
    for name, expected in listed.items():
        if name not in present:
            raise ModelPackError(f"{folder} lacks {name}; install the model pack again")
        if sha256_of(folder / name) != expected:
            raise ModelPackError(
                f"{folder / name} is damaged (its SHA-256 differs); install the model pack again"
            )


def _is_statistical(name: str) -> bool:
    return name.startswith(f"{MODELS}/") and name.endswith(".json")


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_model_pack(
    folder: Path,
    metadata: Mapping[str, Any],
    weights: "Mapping[str, Tensor]",
    extra_files: Mapping[str, bytes],
) -> ModelPack:
    """Writes the pack of a network; see `write_pack`.

    Args:
        folder: where the pack goes; an older pack there is replaced.
        metadata: MONAI bundle metadata with `name`, `version` and the section `gliomaai`.
        weights: the network's state; floating-point values are stored in float16.
        extra_files: further files by relative path, the model card (`docs/README.md`) among them.

    Raises:
        ModelPackError: the model card is missing.
    """
    from safetensors.torch import save

    stored = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
    }
    return write_pack(folder, metadata, {**extra_files, WEIGHTS: save(stored)})


def write_pack(folder: Path, metadata: Mapping[str, Any], files: Mapping[str, bytes]) -> ModelPack:
    """Writes a pack atomically: it appears complete under its name or not at all.

    Args:
        folder: where the pack goes; an older pack there is replaced.
        metadata: MONAI bundle metadata with `name`, `version` and the section `gliomaai`.
        files: everything else by relative path: the model card (`docs/README.md`), and weights or
            statistical models in `models`.

    Raises:
        ModelPackError: the model card or a model is missing.
    """
    if CARD not in files:
        raise ModelPackError(f"a model pack needs its card: {CARD}")
    if not any(name == WEIGHTS or _is_statistical(name) for name in files):
        raise ModelPackError(f"a model pack needs a model in {MODELS}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pack-") as scratch:
        fresh = Path(scratch) / folder.name
        for name, content in files.items():
            _put(fresh / name, content)
        _put(fresh / METADATA, (json.dumps(metadata, indent=2) + "\n").encode())
        hashes = {
            p.relative_to(fresh).as_posix(): sha256_of(p)
            for p in sorted(fresh.rglob("*"))
            if p.is_file()
        }
        _put(fresh / MANIFEST, (json.dumps({"sha256": hashes}, indent=2) + "\n").encode())
        if folder.exists():
            os.replace(folder, Path(scratch) / "older")
        os.replace(fresh, folder)
    return load_model_pack(folder)


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
