"""The settings of a multi-task pack: what its heads answer, and what that was learnt from.

The metadata's section `gliomaai` of such a pack has, beside what a segmentation pack has
(`voxel_mm`, `calibration.temperature`, `calibration.usual_entropy_bits`, `postprocessing`):

    task                `multitask`
    network             `architecture: multitask` and the fields of `MultiTaskNetworkConfig`
    calibration.tasks   temperature by task, for tasks that choose between classes; 1 where none is
    cohort              what the heads learnt from: `words`, `patients`, `simulated_only`
    evidence            sentences: how well the heads do, measured where; may be empty
    prior               by answer (`idh:mutant`, `codeletion_1p19q:co-deleted`, `grade:4`,
                        `histology:glioblastoma`) its share among the patients that the heads
                        learnt from, as they were drawn, and their mean log-risk (`risk`): what can
                        be said of a patient without images. Without it the importance of the
                        sequences is not measured
    survival            a Cox model of the log-risk (`survival.log_risk`), where there is a head for
                        it; without it a risk is given, but no curve
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gliomaai_training.inference.model_pack import ModelPack, ModelPackError
from gliomaai_training.interpretation.explanations import RISK, usual_targets
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.log_risk import checked_log_risk_model

MULTITASK = "multitask"
"""`task` of such a pack."""


class LearntFrom(BaseModel):
    """What the heads learnt from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: str = Field(min_length=1)
    patients: int = Field(ge=1)
    simulated_only: bool
    """Then nothing is shown about patients, and every result has to say so."""


@dataclass(frozen=True)
class MultiTaskSettings:
    """A multi-task pack's settings, checked."""

    tasks: tuple[str, ...]
    """Of the network's heads."""
    temperatures: Mapping[str, float]
    """By task that chooses between classes."""
    cohort: LearntFrom
    evidence: tuple[str, ...]
    survival: CoxModel | None
    prior: Mapping[str, float] = field(default_factory=dict)
    """By `interpretation.explanations.Target.name`; see above."""

    @classmethod
    def of(cls, pack: ModelPack) -> Self:
        """Reads and checks them; the network is not built.

        Raises:
            ModelPackError: a setting is missing, unknown or wrong.
        """
        try:
            return cls._read(pack.settings)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelPackError(
                f"the settings of model pack {pack.name} are wrong: {_words(error)}"
            ) from error

    @classmethod
    def _read(cls, settings: Mapping[str, Any]) -> Self:
        tasks = _tasks(settings["network"])
        given = dict(settings.get("calibration", {}).get("tasks", {}))
        classed = [task for task in tasks if task != RISK]
        if unknown := sorted(set(given) - set(classed)):
            raise ValueError(
                f"calibration.tasks names {', '.join(unknown)}; the network's tasks with classes "
                f"are {', '.join(classed) or 'none'}"
            )
        temperatures = {task: float(given.get(task, 1.0)) for task in classed}
        for task, temperature in temperatures.items():
            if not 0 < temperature < float("inf"):
                raise ValueError(f"calibration.tasks.{task} is {temperature}, not above 0")
        evidence = settings.get("evidence", ())
        if isinstance(evidence, str) or not all(isinstance(line, str) for line in evidence):
            raise ValueError("evidence is a list of sentences")
        cohort = LearntFrom.model_validate(settings["cohort"])
        return cls(
            tasks=tasks,
            temperatures=temperatures,
            cohort=cohort,
            evidence=tuple(evidence),
            survival=_survival(settings.get("survival"), tasks),
            prior=_prior(settings.get("prior", {}), tasks),
        )


def is_multitask(pack: ModelPack) -> bool:
    """Whether a pack's network has heads beside its segmentation."""
    return pack.settings.get("task") == MULTITASK


def _tasks(network: Mapping[str, Any]) -> tuple[str, ...]:
    from gliomaai_training.networks.multitask import MultiTaskNetworkConfig

    fields = dict(network)
    architecture = fields.pop("architecture", None)
    if architecture != MULTITASK:
        raise ValueError(f"network.architecture is {architecture!r}, not {MULTITASK!r}")
    config = MultiTaskNetworkConfig(**fields)
    if not config.tasks:
        raise ValueError("network.tasks is empty: without heads it is a segmentation pack")
    return tuple(config.tasks)


def _prior(given: Mapping[str, Any], tasks: tuple[str, ...]) -> dict[str, float]:
    names = [target.name for target in usual_targets(tasks)]
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(
            f"prior names {', '.join(unknown)}; the network's answers are {', '.join(names)}"
        )
    prior = {name: float(value) for name, value in given.items()}
    for name, value in prior.items():
        if not (math.isfinite(value) if name == RISK else 0 < value < 1):
            wanted = "a finite log-risk" if name == RISK else "a share between 0 and 1"
            raise ValueError(f"prior.{name} is {value}, not {wanted}")
    return prior


def _survival(document: object, tasks: tuple[str, ...]) -> CoxModel | None:
    if document is None:
        return None
    if RISK not in tasks:
        raise ValueError("survival is given, but the network has no risk head")
    if not isinstance(document, Mapping):
        raise ValueError(f"survival is {type(document).__name__}, not a Cox model")
    try:
        model = CoxModel.from_document(document)
        model.baseline()
        return checked_log_risk_model(model)
    except ValueError as error:
        raise ValueError(f"survival: {error}") from error


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, ValidationError):
        parts = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return f"{error.title}: {'; '.join(parts)}"
    return str(error)
