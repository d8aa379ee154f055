"""What statistical models say of a patient: typed results of diagnosis and prognosis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from gliomaai_training.diagnosis.joint_model import INDETERMINATE
from gliomaai_training.diagnosis.states import NOT_ELSEWHERE, STATE_NAMES
from gliomaai_training.survival.evidence import Evidence
from gliomaai_training.survival.terms import MissingCovariateError

MARGINAL_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "idh_mutant": "IDH-mutant",
        "codeleted_1p19q": "1p/19q co-deleted",
        "grade_2": "Grade 2",
        "grade_3": "Grade 3",
        "grade_4": "Grade 4",
    }
)
"""What follows from the states, as readers know it."""

LABEL_STATE_NAMES: Mapping[str, str] = MappingProxyType(
    {**STATE_NAMES, NOT_ELSEWHERE: "IDH-wildtype glioma, NEC"}
)
"""The states as readers know them, with the one that only a network tells from the others."""

ALONE_NAMES: Mapping[str, str] = MappingProxyType(
    {**MARGINAL_NAMES, "histology_glioblastoma": "Glioblastoma under the microscope"}
)
"""What heads of a network answer that each stand alone, as readers know it."""

NETWORK_INPUTS = "network"
"""`ModelUse.inputs` of a network's own answers."""

INPUT_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "clinical": "Clinical facts alone",
        "clinical+imaging": "Clinical facts and imaging",
        NETWORK_INPUTS: "Network, images alone",
    }
)

SIMULATED_ONLY = (
    "Learnt from simulated patients: shows that the machinery works, nothing about patients."
)
"""Stands wherever a result of such a network is shown."""

ROLE_NAMES: Mapping[str, str] = MappingProxyType(
    {"preoperative": "before surgery", "postoperative": "after surgery"}
)

HORIZONS_MONTHS = (12, 24, 60)

LEAST_SHARE = 0.01
"""Of a WHO state that is named among those that a curve is made of."""


@dataclass(frozen=True)
class ModelUse:
    """A statistical model that gave an estimate, so that a reader can look it up."""

    name: str
    inputs: str
    """`clinical`, `clinical+imaging` or `network`."""
    pack: str
    pack_version: str
    cohort: str
    """On whom it was fitted, in words."""
    patients: int
    events: int | None
    """Deaths; None where the model is not of survival."""
    history: tuple[str, ...] = ()
    """What was done to the model after its fit, such as a recalibration."""


@dataclass(frozen=True)
class Unused:
    """A model that was not used."""

    model: str
    why: str
    """What it needs and nobody knows, or what is impossible for it."""
    lacking: tuple[str, ...] = ()
    """What it needs and nobody knows."""

    @classmethod
    def of(cls, model: str, error: ValueError) -> Self:
        """A model that refused a patient."""
        if isinstance(error, MissingCovariateError):
            return cls(model, f"needs {', '.join(error.names)}", error.names)
        return cls(model, str(error))


def none_usable(unused: Sequence[Unused]) -> str:
    """Why there is no estimate: the least that would have to be known, or every model's reason."""
    lacking = [one.lacking for one in unused if one.lacking]
    if lacking:
        least = min(lacking, key=lambda names: len(names))
        return f"Without {' and '.join(least)} no model can be used: enter what is known."
    reasons = "; ".join(f"{one.model}: {one.why}" for one in dict.fromkeys(unused))
    return f"No model could be used: {reasons}."


class Basis(StrEnum):
    """What the probabilities of the WHO states rest on."""

    MODEL = "model"
    TISSUE = "tissue"
    BOTH = "model and tissue"
    """The model's probabilities, of the states that tissue leaves possible."""


@dataclass(frozen=True)
class Diagnosis:
    """Probabilities of the WHO 2021 states; what follows of IDH, 1p/19q and grade fits together."""

    basis: Basis
    states: Mapping[str, float]
    """By `diagnosis.states.WHO_STATES`; they sum to 1."""
    marginals: Mapping[str, float]
    """`idh_mutant`, `codeleted_1p19q`, `grade_2`, `grade_3`, `grade_4`."""
    answers: Mapping[str, str]
    """To `state`, `idh`, `codeletion_1p19q` and `grade`, as far as the model may answer;
    `indeterminate` where the evidence is too weak."""
    reasons: tuple[str, ...] = ()
    """Why an answer is indeterminate, in sentences."""
    model: ModelUse | None = None
    """None where tissue alone decides."""
    left_by_tissue: float = 1.0
    """What the model gave to the states that tissue leaves possible."""
    richer: tuple[Unused, ...] = ()
    """Models that know more and could not be used."""
    extrapolated: tuple[str, ...] = ()
    """What lies outside that which the model's cohort held."""
    limits: tuple[str, ...] = ()
    """What has to be said with every answer of the model."""

    @property
    def indeterminate(self) -> bool:
        """Whether the evidence is too weak to name a state."""
        return self.answers.get("state", INDETERMINATE) == INDETERMINATE


@dataclass(frozen=True)
class Survival:
    """Probability to be alive, with a 95 % interval of how well the model is known."""

    survival: float
    low: float
    high: float


@dataclass(frozen=True)
class Moved:
    """What one covariate does to the risk."""

    name: str
    label: str
    value: str
    """The patient's, in words."""
    reference: str
    """Against which the ratio is meant."""
    hazard_ratio: float
    """Above 1 for worse."""
    share: float
    """Of all movement, up or down; 0 to 1."""


@dataclass(frozen=True)
class PointAxis:
    """One scale of a nomogram with the patient on it."""

    name: str
    label: str
    value: str
    """The patient's, in words."""
    points: float
    ticks: tuple[tuple[str, float], ...]
    """Named values with their points."""


@dataclass(frozen=True)
class NomogramReading:
    """A patient's points; the more, the higher the risk."""

    axes: tuple[PointAxis, ...]
    total: float
    least: float
    most: float
    """What the axes can add up to."""


@dataclass(frozen=True)
class StateShare:
    """One of the WHO states that a curve is made of, where the state is not certain."""

    state: str
    probability: float
    at_months: Mapping[int, float | None]
    """Survival if this is the state, at 12, 24 and 60 months; None after the follow-up."""


@dataclass(frozen=True)
class SurvivalEstimate:
    """What one model says of a patient's survival."""

    model: ModelUse
    months: tuple[float, ...]
    survival: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """As long as `months`."""
    at_months: Mapping[int, Survival | None]
    """At 12, 24 and 60 months; None after the model's follow-up."""
    median_months: float | None
    """When half have died; None if more are alive at the end of the follow-up."""
    moved: tuple[Moved, ...]
    """What moved the risk most comes first."""
    nomogram: NomogramReading | None
    """None where no scale of points can be made of the model."""
    group: str | None
    """The reference group of the patient's risk, where the groups are made by risk."""
    richer: tuple[Unused, ...]
    """Models of the same kind that know more and could not be used."""
    extrapolated: tuple[str, ...]
    """What lies outside that which the model's cohort held; the estimate is then a guess."""
    made_of: tuple[StateShare, ...] = ()
    """What the curve is made of, the likeliest first: survival is the mean over the states, and
    its interval is for the curve that tissue will tell. Empty where the state is certain or
    plays no part."""
    evidence: Evidence | None = None
    """What the model's images were measured to add; None where nobody measured it."""


@dataclass(frozen=True)
class Group:
    """Survival that was observed in a group of patients."""

    name: str
    cohort: str
    patients: int
    events: int
    months: tuple[float, ...]
    survival: tuple[float, ...]


@dataclass(frozen=True)
class Prognosis:
    """Survival by the clinical facts alone, beside that with imaging."""

    role: str
    """`preoperative` or `postoperative`."""
    estimates: tuple[SurvivalEstimate, ...]
    """Clinical first; at least one."""
    groups: tuple[Group, ...] = ()
    """For comparison."""
    unavailable: tuple[Unused, ...] = ()
    """Models of the other kind or role, where none of a kind could be used."""
    imaging_adds: str = ""
    """What imaging was measured to add, in a sentence; empty where there is one curve alone."""


@dataclass(frozen=True)
class NetworkDiagnosis:
    """The WHO states by a network's own head; what follows from them fits together."""

    basis: Basis
    states: Mapping[str, float]
    """By `diagnosis.states.LABELS`; they sum to 1."""
    marginals: Mapping[str, float]
    """By `MARGINAL_NAMES`. The grades leave out what is not elsewhere classified."""
    left_by_tissue: float = 1.0
    """What the network gave to the states that tissue leaves possible."""

    @property
    def likeliest(self) -> str:
        """The state that the network holds for the likeliest: the one call that is coherent."""
        return max(self.states, key=lambda state: self.states[state])


@dataclass(frozen=True)
class NetworkEstimate:
    """What the heads of a multi-task network say, beside the statistical models.

    It is read from the images and the mask as it is now; it never takes the place of `diagnosis` or
    `prognosis`.
    """

    pack: str
    pack_version: str
    cohort: str
    """What the heads learnt from, in words."""
    patients: int
    simulated_only: bool
    """Then every result says `SIMULATED_ONLY`."""
    evidence: tuple[str, ...]
    """How well the heads do, in sentences; empty where nobody measured it."""
    diagnosis: NetworkDiagnosis | None
    """None without such a head, and where tissue fits no state."""
    alone: Mapping[str, float]
    """By `ALONE_NAMES`: answers of heads that each stand alone and may contradict each other."""
    log_risk: float | None
    """Higher is worse; None without such a head."""
    survival: SurvivalEstimate | None
    """None where the pack does not tell how the risk becomes a curve."""
    notes: tuple[str, ...]
    """What has to be said with it, in sentences, the weightiest first."""


@dataclass(frozen=True)
class Estimates:
    """Diagnosis and prognosis of a patient, each with the reason where there is none."""

    diagnosis: Diagnosis | None = None
    prognosis: Prognosis | None = None
    network: NetworkEstimate | None = None
    """None without a multi-task network."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """By `diagnosis`, `prognosis` and `network`: why there is none, in a sentence. Nothing is said
    of a network that has no heads."""

    @property
    def curves(self) -> tuple[SurvivalEstimate, ...]:
        """Every survival estimate: of the statistical models, then of the network."""
        told = () if self.prognosis is None else self.prognosis.estimates
        if self.network is None or self.network.survival is None:
            return told
        return (*told, self.network.survival)
