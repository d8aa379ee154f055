"""What an evaluation tells a pack about the heads of its network."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.evaluation.tasks.predictions import RISK
from gliomaai_training.evaluation.tasks.truth import TaskTruth
from gliomaai_training.inference.multitask_pack import LearntFrom
from gliomaai_training.interpretation.explanations import usual_targets
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.log_risk import checked_log_risk_model, log_risk_model
from gliomaai_training.survival.outcome import Outcome

if TYPE_CHECKING:
    from gliomaai_training.training.cases import Lesson
    from gliomaai_training.training.run_folder import FinishedRun

FEWEST_DEATHS = 10
"""For a coefficient (Peduzzi et al., J Clin Epidemiol 1995;48:1503), and for a hazard."""


class RunSummary(BaseModel):
    """What is of one run alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cohort: LearntFrom
    prior: dict[str, float] = {}
    """By answer: what can be said of a patient without images."""
    survival: dict[str, Any] | None = None
    """The document of a Cox model of its log-risk."""
    no_survival: str = ""
    """Why there is none, as a sentence; empty without a risk."""


@dataclass(frozen=True)
class PackedHeads:
    """What the pack of one run tells of its heads; see `inference.multitask_pack`."""

    temperatures: dict[str, float]
    cohort: LearntFrom
    prior: dict[str, float]
    evidence: tuple[str, ...]
    survival: CoxModel | None

    def sections(self) -> dict[str, Any]:
        """`cohort`, `prior`, `evidence` and `survival` of the pack's settings."""
        found: dict[str, Any] = {
            "cohort": self.cohort.model_dump(),
            "prior": self.prior,
            "evidence": list(self.evidence),
        }
        return found if self.survival is None else found | {"survival": self.survival.document()}


class TaskSummary(BaseModel):
    """Of all evaluated runs of one network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: dict[str, Any]
    temperatures: dict[str, float]
    """By task; those that are not there are 1."""
    evidence: tuple[str, ...]
    runs: dict[str, RunSummary]
    """By the SHA-256 of their checkpoints."""
    everyone: RunSummary
    """Of a run that leaves nobody out."""

    def heads(self, run: "FinishedRun") -> PackedHeads:
        """What the pack of a run tells: one that was evaluated, or one that left nobody out.

        Raises:
            ValueError: the evaluation is of another network, or not of this run although it left
                patients out to be judged on.
        """
        if run.record.config.network != self.network:
            raise ValueError(
                f"the evaluation is of another network than the run in {run.folder}: evaluate that "
                "run, or others of its recipe"
            )
        if (own := self.runs.get(run.sha256)) is not None:
            return self._packed(own, ())
        if run.record.fold is not None:
            raise ValueError(
                f"the run in {run.folder} leaves out fold {run.record.fold}, but the evaluation is "
                "of other runs: evaluate this one as it is now"
            )
        networks = "one network" if len(self.runs) == 1 else f"{len(self.runs)} networks"
        others = (
            f"The figures are of {networks} trained alike on part of the patients; this one learnt "
            "from all of them."
        )
        return self._packed(self.everyone, (others,) if self.evidence else ())

    def _packed(self, own: RunSummary, said: tuple[str, ...]) -> PackedHeads:
        model = None if own.survival is None else CoxModel.from_document(own.survival)
        curve = own.no_survival if model is None else slope_words(model)
        return PackedHeads(
            temperatures=self.temperatures,
            cohort=own.cohort,
            prior=own.prior,
            evidence=(*self.evidence, *said, *((curve,) if curve else ())),
            survival=model,
        )


def run_summary(
    lesson: "Lesson", predictions: pd.DataFrame, truth: TaskTruth | None, patients: str
) -> RunSummary:
    """What is of one run, with a curve for its log-risk where one can be fitted.

    Args:
        lesson: what it learnt from.
        predictions: of the run, of all patients whose survival it has not learnt: the hazard is
            theirs.
        truth: of these patients; None if nothing is known of them.
        patients: who they are, in words.
    """
    shares = prior_shares(lesson)
    if RISK not in predictions.columns:
        return RunSummary(cohort=lesson.cohort, prior=shares)
    own = RunSummary(cohort=lesson.cohort, prior={**shares, RISK: float(predictions[RISK].mean())})
    try:
        if truth is None:
            raise ValueError("nothing is known of the patients left out")
        model = held_out_curve(predictions, truth, f"{patients} whom the network had not seen")
    except ValueError as error:
        return own.model_copy(update={"no_survival": f"The log-risk has no curve: {error}."})
    return own.model_copy(update={"survival": model.document()})


def everyone_summary(lesson: "Lesson") -> RunSummary:
    """What is of a run that leaves nobody out."""
    why = "The log-risk has no curve: nobody was left out to fit one on."
    return RunSummary(
        cohort=lesson.cohort,
        prior=prior_shares(lesson),
        no_survival=why if RISK in lesson.tasks else "",
    )


def prior_shares(lesson: "Lesson") -> dict[str, float]:
    """By answer of `explanations.usual_targets` its share among those of whom it is known; none
    where nobody has it, or everybody."""
    shares = {}
    for target in usual_targets(lesson.tasks):
        if target.answer is None:
            continue
        possible = np.stack([one.possible[target.task] for one in lesson.targets])
        column = possible[:, CLASSES[target.task].index(target.answer)]
        yes, no = column & (possible.sum(axis=1) == 1), ~column
        if yes.any() and no.any():
            shares[target.name] = float(yes.sum() / (yes.sum() + no.sum()))
    return shares


def held_out_curve(predictions: pd.DataFrame, truth: TaskTruth, cohort: str) -> CoxModel:
    """How one network's log-risk becomes a survival curve, fitted on patients it has not learnt.

    Args:
        predictions: of one network, one row a case.
        truth: of these cases; who was not followed is left out.
        cohort: who they are, in words.

    Raises:
        ValueError: too few died, or their hazard does not rise with the risk.
    """
    known = truth.take(predictions["case"].tolist())
    rows = np.isfinite(known.months) & np.isfinite(predictions[RISK].to_numpy(np.float64))
    followed = Outcome(known.months[rows], known.event[rows])
    if followed.events < FEWEST_DEATHS:
        raise ValueError(f"{followed.events} deaths are fewer than {FEWEST_DEATHS}")
    risk = predictions[RISK].to_numpy(np.float64)[rows]
    return checked_log_risk_model(log_risk_model(risk, followed, cohort))


def slope_words(model: CoxModel) -> str:
    """The calibration slope of a log-risk, with its interval, as a sentence."""
    slope = float(model.coefficients[0])
    spread = 1.96 * math.sqrt(float(model.covariance[0, 0]))
    return (
        f"Survival curves come from {model.patients} {model.cohort}, {model.events} of whom died; "
        f"the slope of the log-risk is {slope:.2f} ({slope - spread:.2f} to "
        f"{slope + spread:.2f}): 1 would neither exaggerate nor understate."
    )
