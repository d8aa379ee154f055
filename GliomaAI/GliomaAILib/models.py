"""Where the model packs lie that the clinic runs."""

import os
from pathlib import Path

from gliomaai_training.inference.model_pack import MANIFEST, ModelPackError

SEGMENTATION_PACK = "segmentation"
"""The default pack of the tumour segmentation network."""

BRAIN_MASK_PACK = "brain-mask"
"""The pack of the brain mask network."""

PACK_NAMES = (SEGMENTATION_PACK, BRAIN_MASK_PACK)
"""The packs the clinic needs."""

DIAGNOSIS_PACK = "diagnosis"
"""The pack of the models that tell the WHO 2021 state."""

PROGNOSIS_PACK = "prognosis"
"""The pack of the survival models."""

OPTIONAL_PACKS = (DIAGNOSIS_PACK, PROGNOSIS_PACK)
"""The packs that the clinic shows estimates of, where they are installed."""

MODELS_VARIABLE = "GLIOMAAI_MODELS"
"""Environment variable that names a folder of model packs, searched before the shipped ones."""


def find_model_pack(name: str, override: Path | None = None) -> Path:
    """The folder of a model pack; its content is not verified here.

    Args:
        name: of `PACK_NAMES` or `OPTIONAL_PACKS`, or another pack the user installed.
        override: the pack itself or a folder of packs, as the user named it. Then nothing else is
            searched: who names a model must not silently get another.

    Raises:
        ModelPackError: there is no such pack.
    """
    if override is not None:
        candidates = [override, override / name]
        remedy = f"a model pack is a folder with a {MANIFEST}"
    else:
        candidates = [folder / name for folder in pack_folders()]
        remedy = f"install gliomaai again, or name a folder of packs in {MODELS_VARIABLE}"
    for candidate in candidates:
        if (candidate / MANIFEST).is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ModelPackError(f"there is no model pack '{name}' in {looked}; {remedy}")


def has_model_pack(name: str) -> bool:
    """Whether a folder of packs holds one of that name; its content is not verified here."""
    return any((folder / name / MANIFEST).is_file() for folder in pack_folders())


def other_packs() -> tuple[Path, ...]:
    """Packs beside those that the clinic knows by name; of one name, the first that is found."""
    found: dict[str, Path] = {}
    for folder in pack_folders():
        for manifest in sorted(folder.glob(f"*/{MANIFEST}")):
            found.setdefault(manifest.parent.name, manifest.parent)
    known = (*PACK_NAMES, *OPTIONAL_PACKS)
    return tuple(folder for name, folder in sorted(found.items()) if name not in known)


def pack_folders() -> tuple[Path, ...]:
    """Folders that may hold packs, in order of search.

    The one that `MODELS_VARIABLE` names; the source tree (`Resources/Models` at the repository's
    root); an installed wheel (inside the package); an installed Slicer extension (beside it).
    """
    variable = os.environ.get(MODELS_VARIABLE)
    named = (Path(variable),) if variable else ()
    package = Path(__file__).resolve().parent
    roots = (package.parent.parent, package, package.parent)
    return named + tuple(root / "Resources" / "Models" for root in roots)
