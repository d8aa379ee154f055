"""What held-out models say of IDH, 1p/19q and survival, and how well, among comparable patients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.diagnosis.states import CODELETED, INTACT, MUTANT, WILD_TYPE
from gliomaai_training.evaluation.bootstrap import Interval, patient_draws, percentile_interval
from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.evaluation.paired import PairedDifference, bootstrap_p
from gliomaai_training.studies.few_components import (
    held_out_probabilities,
    held_out_risks,
    named,
)
from gliomaai_training.studies.network_real_cohorts import (
    CLINICAL,
    NETWORK,
    RADIOMICS,
    RealCohort,
)
from gliomaai_training.studies.scores import p_words, signed
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.comparison import share_difference
from gliomaai_training.survival.concordance import PairRule, comparable_pairs
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.pairs import Pairs, pairs_of

LEAST = 10
"""Of the rarer class, and of deaths: below, a question is not asked."""
CHANCE, SIGNIFICANT = 0.5, 0.05
NO_CLAIM = "no claim"
ADDS, TAKES = "adds", "takes away"
SURVIVAL = "survival"
FACTS: Mapping[str, tuple[str, str, str]] = {
    "IDH mutation": ("idh", MUTANT, WILD_TYPE),
    "1p/19q co-deletion": ("codeletion_1p19q", CODELETED, INTACT),
}
"""By question: column, the word for yes, and the word for no."""

MODELS: Mapping[str, tuple[str, ...]] = {
    "clinic": (CLINICAL,),
    "radiomics": (RADIOMICS,),
    "clinic and radiomics": (CLINICAL, RADIOMICS),
    "network": (NETWORK,),
    "clinic and network": (CLINICAL, NETWORK),
    "clinic, radiomics and network": (CLINICAL, RADIOMICS, NETWORK),
}
"""By name: the blocks that a model is told. The first three do without a network."""
BASELINES: Mapping[str, str] = {
    "network": "radiomics",
    "clinic and network": "clinic",
    "clinic, radiomics and network": "clinic and radiomics",
}
"""What the models with a network are set beside."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """Something that is known of some patients of a cohort."""

    name: str
    cohort: RealCohort
    rows: NDArray[np.int_]
    """(m,) of whom it is known."""
    truth: NDArray[np.bool_] | Outcome
    """(m,) whether the fact holds, or what became of the patient."""

    @property
    def events(self) -> int:
        """Patients of whom the fact holds, or who died."""
        return self.truth.events if isinstance(self.truth, Outcome) else int(self.truth.sum())

    @property
    def measure(self) -> Literal["AUC", "C"]:
        """What an answer is judged by."""
        return "C" if isinstance(self.truth, Outcome) else "AUC"

    @property
    def happened(self) -> str:
        """What the events are, in a word."""
        return "died" if isinstance(self.truth, Outcome) else "yes"

    @property
    def fold(self) -> NDArray[np.int_]:
        """(m,)"""
        return self.cohort.fold[self.rows]

    @property
    def too_few(self) -> bool:
        """Whether an answer would say nothing."""
        rarer = self.events
        if not isinstance(self.truth, Outcome):
            rarer = min(rarer, len(self.rows) - rarer)
        return rarer < LEAST

    def pairs(self) -> Pairs:
        """Patients of one fold of whom one should score higher: both are asked of one model, and
        neither a hospital nor a fold can order them."""
        if isinstance(self.truth, Outcome):
            return comparable_pairs(self.truth, PairRule(strata=self.fold.tolist()))
        same = self.fold[:, None] == self.fold
        return pairs_of(self.truth.astype(np.float64), self.truth[:, None] & ~self.truth & same)

    def held_out(self, model: str, seed: int) -> Floats:
        """(m,) scores, each by a model that never saw the patient's fold."""
        blocks = {name: block[self.rows] for name, block in self.cohort.blocks.items()}
        columns = named(blocks, MODELS[model])
        if isinstance(self.truth, Outcome):
            return held_out_risks(columns, self.truth, self.fold, seed)
        return held_out_probabilities(columns, self.truth, self.fold)


@dataclass(frozen=True, eq=False)
class Answers:
    """What all models say."""

    question: Question
    scores: Mapping[str, Floats]
    """(m,) by model."""


def questions(cohort: RealCohort) -> Iterator[Question]:
    """Everything that is asked of a cohort, those of too few patients too."""
    table = cohort.table
    for name, (column, yes, no) in FACTS.items():
        rows = np.flatnonzero(table[column].isin([yes, no]))
        yield Question(name, cohort, rows, (table[column] == yes).to_numpy()[rows])
    months, event = table["months"], table["event"]
    rows = np.flatnonzero(months.notna() & ~((months == 0) & (event == 0)))
    yield Question(SURVIVAL, cohort, rows, outcome(months.iloc[rows], event.iloc[rows]))


def answers(question: Question, settings: StudySettings) -> Answers:
    """Of every model.

    Raises:
        ValueError: the question is of too few patients.
    """
    return Answers(question, {model: question.held_out(model, settings.seed) for model in MODELS})


@dataclass(frozen=True, eq=False)
class Verdict:
    """How well one model answers one question."""

    question: Question
    model: str
    interval: Interval
    """AUC or C among pairs of one fold, patients resampled."""
    p: float
    """Of chance, adjusted for all verdicts of the study (Holm)."""

    @property
    def words(self) -> str:
        """The model's name with what the clinic knows there."""
        return model_words(self.model, self.question.cohort)

    @property
    def says(self) -> str:
        """What may be said against chance."""
        return claim(self.interval, CHANCE, self.p, ("above", "below"), "chance")


def verdicts(found: Sequence[Answers], settings: StudySettings) -> list[Verdict]:
    """Of all models on all questions."""
    judged = []
    for one in found:
        pairs, n = one.question.pairs(), len(one.question.rows)
        generator = np.random.default_rng(settings.seed)
        draws = patient_draws(n, generator, settings.bootstrap.resamples)
        for model, score in one.scores.items():
            spread = pairs.share(score, draws)
            interval = percentile_interval(
                float(pairs.share(score)[0]), spread, settings.bootstrap.level
            )
            judged.append(Verdict(one.question, model, interval, bootstrap_p(spread - CHANCE)))
    adjusted = holm([one.p for one in judged])
    return [replace(one, p=float(p)) for one, p in zip(judged, adjusted, strict=True)]


def claim(interval: Interval, nothing: float, p: float, words: tuple[str, str], what: str) -> str:
    """What an interval and an adjusted p allow to be said.

    Args:
        interval: of 95 %.
        nothing: its value where there is nothing.
        p: adjusted.
        words: for above and below.
        what: that the interval may cover.
    """
    if interval.low <= nothing <= interval.high:
        return f"covers {what}: {NO_CLAIM}"
    side = words[0] if interval.low > nothing else words[1]
    return side if p < SIGNIFICANT else f"{side}, but one of many: {NO_CLAIM}"


def model_words(model: str, cohort: RealCohort) -> str:
    """What a model is told, with what the clinic knows there."""
    parts = [
        word
        for block in MODELS[model]
        for word in (cohort.clinical_words if block == CLINICAL else (block,))
    ]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def verdict_table(judged: Sequence[Verdict]) -> pd.DataFrame:
    """A row for each verdict."""
    return pd.DataFrame(
        {
            "question": one.question.name,
            "told": one.words,
            "n": str(len(one.question.rows)),
            "yes, or died": str(one.question.events),
            "AUC, or C of survival": str(one.interval),
            "p of chance (Holm)": p_words(one.p),
            "against chance": one.says,
        }
        for one in judged
    )


def difference_table(found: Sequence[Answers], settings: StudySettings) -> pd.DataFrame:
    """Models with a network against those without, patients resampled in pairs; p by Holm."""
    compared = [
        (one.question, ours, theirs, _difference(one, ours, theirs, settings))
        for one in found
        for ours, theirs in BASELINES.items()
    ]
    adjusted = holm([difference.p for *_, difference in compared])
    rows = [
        {
            "cohort": question.cohort.name,
            "question": question.name,
            "told": model_words(ours, question.cohort),
            "against": model_words(theirs, question.cohort),
            "n": str(len(question.rows)),
            "difference": signed(found_here.difference),
            "p (Holm)": p_words(float(p)),
            "the network": claim(found_here.difference, 0.0, float(p), (ADDS, TAKES), "0"),
        }
        for (question, ours, theirs, found_here), p in zip(compared, adjusted, strict=True)
    ]
    return pd.DataFrame(rows)


def _difference(
    found: Answers, ours: str, theirs: str, settings: StudySettings
) -> PairedDifference:
    return share_difference(
        found.scores[ours],
        found.scores[theirs],
        found.question.pairs(),
        np.random.default_rng(settings.seed),
        settings.bootstrap,
    )
