"""Models of one purpose that need more or less to be known: the richest possible one is used."""

from collections.abc import Sequence
from dataclasses import dataclass

from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import Patient
from gliomaai_training.survival.terms import MissingCovariateError, is_missing


@dataclass(frozen=True)
class Choice:
    """The model to use for a patient, and what is missing for a richer one."""

    model: CoxModel
    missing: tuple[str, ...]
    """Labels of what the richest model needs and is not known; empty if that one is used."""


@dataclass(frozen=True)
class ModelFamily:
    """Models of one purpose, such as "pre-operative"."""

    name: str
    models: tuple[CoxModel, ...]
    """In order of preference: the richest first."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError(f"family {self.name!r} has no model")

    def choose(self, patient: Patient) -> Choice:
        """The first model whose covariates are all known.

        Raises:
            MissingCovariateError: even the most modest model needs more than is known.
        """
        for model in self.models:
            if not _missing(model, patient):
                return Choice(model, _missing(self.models[0], patient))
        modest = min(self.models, key=lambda model: len(_missing(model, patient)))
        raise MissingCovariateError(f"every {self.name} model", _missing(modest, patient))


def _missing(model: CoxModel, patient: Patient) -> tuple[str, ...]:
    return tuple(t.label for t in model.terms if is_missing(patient.get(t.name)))


def richest_first(name: str, models: Sequence[CoxModel]) -> ModelFamily:
    """A family ordered by how much its models need to know."""
    return ModelFamily(name, tuple(sorted(models, key=lambda model: -len(model.terms))))
