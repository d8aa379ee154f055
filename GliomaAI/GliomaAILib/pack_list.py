"""The model packs that are installed, in words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gliomaai_training.inference.model_pack import ModelPack, ModelPackError, load_model_pack
from gliomaai_training.inference.statistical_packs import (
    load_diagnosis_pack,
    load_prognosis_pack,
)
from GliomaAILib.models import (
    DIAGNOSIS_PACK,
    OPTIONAL_PACKS,
    PACK_NAMES,
    PROGNOSIS_PACK,
    find_model_pack,
    has_model_pack,
)


@dataclass(frozen=True)
class ListedPack:
    """One pack."""

    usable: bool
    """Also where a pack that need not be there is not."""
    words: str
    """A line, and one for each statistical model; or what is wrong."""


def listed_packs() -> Iterator[ListedPack]:
    """Every pack that the clinic knows, with all files verified."""
    for name in (*PACK_NAMES, *OPTIONAL_PACKS):
        if name in OPTIONAL_PACKS and not has_model_pack(name):
            yield ListedPack(True, f"{name}  not installed")
            continue
        try:
            pack, models = _OPENED.get(name, _network)(find_model_pack(name))
        except ModelPackError as error:
            yield ListedPack(False, str(error))
            continue
        size = sum(file.stat().st_size for file in pack.folder.rglob("*") if file.is_file())
        line = (
            f"{name}  version {pack.version}  {size / 1e6:.1f} MB  sha256 {pack.sha256[:16]}  "
            f"verified  {pack.folder}"
        )
        yield ListedPack(True, "\n  ".join((line, *models)))


Opened = tuple[ModelPack, list[str]]


def _network(folder: Path) -> Opened:
    return load_model_pack(folder), []


def _diagnosis(folder: Path) -> Opened:
    found = load_diagnosis_pack(folder)
    return found.pack, [f"{one.name}: n = {one.patients}" for one in found.models]


def _prognosis(folder: Path) -> Opened:
    found = load_prognosis_pack(folder)
    return found.pack, [
        f"{one.model.name}: {one.role}, {one.inputs}, n = {one.model.patients}, "
        f"{one.model.events} events"
        for one in found.members
    ]


_OPENED: Mapping[str, Callable[[Path], Opened]] = {
    DIAGNOSIS_PACK: _diagnosis,
    PROGNOSIS_PACK: _prognosis,
}
