"""The model packs that are installed, in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gliomaai_training.diagnosis.joint_model import JointModel
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError, load_model_pack
from gliomaai_training.inference.multitask_pack import MultiTaskSettings, is_multitask
from gliomaai_training.inference.statistical_packs import (
    Task,
    load_diagnosis_pack,
    load_prognosis_pack,
    task_of,
)
from GliomaAILib.assessment.estimates import SIMULATED_ONLY
from GliomaAILib.models import (
    DIAGNOSIS_PACK,
    OPTIONAL_PACKS,
    PACK_NAMES,
    PROGNOSIS_PACK,
    find_model_pack,
    has_model_pack,
    other_packs,
)


@dataclass(frozen=True)
class ListedPack:
    """One pack."""

    usable: bool
    """Also where a pack that need not be there is not."""
    words: str
    """A line, and one for each statistical model; or what is wrong."""


def listed_packs() -> Iterator[ListedPack]:
    """Every pack that the clinic knows, then what else is installed, with all files verified."""
    for name in (*PACK_NAMES, *OPTIONAL_PACKS):
        if name in OPTIONAL_PACKS and not has_model_pack(name):
            yield ListedPack(True, f"{name}  not installed")
            continue
        try:
            pack, models = _OPENED.get(name, _network)(find_model_pack(name))
        except ModelPackError as error:
            yield ListedPack(False, str(error))
            continue
        yield _listed(pack, models)
    yield from map(_listed_other, other_packs())


def _listed(pack: ModelPack, further: Sequence[str]) -> ListedPack:
    size = sum(file.stat().st_size for file in pack.folder.rglob("*") if file.is_file())
    line = (
        f"{pack.folder.name}  version {pack.version}  {size / 1e6:.1f} MB  "
        f"sha256 {pack.sha256[:16]}  verified  {pack.folder}"
    )
    return ListedPack(True, "\n  ".join((line, *further)))


def _listed_other(folder: Path) -> ListedPack:
    """A pack that the clinic does not take by itself, with what it is for."""
    try:
        pack = load_model_pack(folder)
        if task_of(pack) is not Task.DIAGNOSIS:
            return _listed(pack, ["used where it is named only", *_heads(pack)])
        models = load_diagnosis_pack(folder, restricted=True).models
    except ModelPackError as error:
        return ListedPack(False, str(error))
    reasons = {one.only_for.patients: one.only_for.reason for one in models if one.only_for}
    purposes = [
        f"only for tables of {patients} (`gliomaai-train score`), never in the clinic: {reason}"
        for patients, reason in reasons.items()
    ]
    return _listed(pack, [*purposes, *map(_diagnosis_line, models)])


Opened = tuple[ModelPack, list[str]]


def _network(folder: Path) -> Opened:
    pack = load_model_pack(folder)
    return pack, _heads(pack)


def _heads(pack: ModelPack) -> list[str]:
    """What a multi-task network answers beside its segmentation, and what that was learnt from.

    Raises:
        ModelPackError: its settings are wrong.
    """
    if not is_multitask(pack):
        return []
    settings = MultiTaskSettings.of(pack)
    cohort = settings.cohort
    words = f"heads: {', '.join(settings.tasks)}; learnt from {cohort.words}, n = {cohort.patients}"
    return [words, *((SIMULATED_ONLY,) if cohort.simulated_only else ())]


def _diagnosis(folder: Path) -> Opened:
    found = load_diagnosis_pack(folder)
    return found.pack, list(map(_diagnosis_line, found.models))


def _diagnosis_line(model: JointModel) -> str:
    return f"{model.name}: n = {model.patients}"


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
