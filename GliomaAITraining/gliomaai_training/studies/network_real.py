"""What a network's features tell of real patients: IDH, 1p/19q and survival, beside no network."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.brats import VOLUMES_TABLE
from gliomaai_training.cohorts.lgg_slices import TABLE as SLICES_TABLE
from gliomaai_training.cohorts.tcga import TABLE as TCGA_TABLE
from gliomaai_training.progress import Progress
from gliomaai_training.studies.few_components import COMPONENTS
from gliomaai_training.studies.network_real_answers import (
    ADDS,
    CHANCE,
    LEAST,
    MODELS,
    NO_CLAIM,
    Answers,
    Question,
    Verdict,
    answers,
    difference_table,
    questions,
    verdict_table,
    verdicts,
)
from gliomaai_training.studies.network_real_cohorts import NETWORK, RealCohort, read_real
from gliomaai_training.studies.study import StudyFigure, StudyResult, StudySettings, StudyTable

TITLE = "A network's features on real patients"
PURPOSE = (
    "Do the features of a network, pooled in the tumour and the brain, tell IDH, 1p/19q (both over "
    "all patients, whatever the other is) and survival of real patients, beside age, sex and "
    "radiomics? A patient's features come from a network that never saw the patient. Every block "
    f"of features becomes {COMPONENTS} principal components; ridge-penalised logistic and Cox "
    "regressions weigh them, their penalty chosen in inner folds. Whole hospitals (where they are "
    "known) or folds are left out, and only patients of one hospital or fold are compared, so that "
    "no hospital can be recognised to advantage. Intervals are of 95 %, patients resampled."
)
PERMUTATIONS = 10
LIMITS = (
    "So few patients: an interval that covers chance does not show that there is nothing, and no "
    "claim is made of it either way.",
    "lgg_slices: slices without geometry are taken to be 240 mm wide and to span 150 mm of head; "
    "never T2; the mask is of the whole tumour alone, drawn by an expert (CC BY-NC-SA, so that no "
    "model of it is kept).",
    "Radiomics of volumes are of T1Gd as stored, in the expert's whole tumour.",
    "Networks trained on different folds give features that are not the same quantities: models of "
    "a cohort that several networks read are fitted on columns that mean one thing in some "
    "patients and another in the others, and can hardly work. A network that saw none of a cohort "
    "has no such limit.",
)


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study.

    Raises:
        ValueError: no folder of features is given, or a table is missing or cannot be read.
    """
    if settings.features is None or not settings.features.is_dir():
        raise ValueError(
            "the study needs --features FOLDER with lgg_slices.csv and volumes.csv of "
            "`gliomaai-train features`"
        )
    cohorts = read_real(
        settings, settings.features, lambda stage, done: progress(stage, 0.3 * done)
    )
    asked = [question for cohort in cohorts for question in questions(cohort)]
    found: list[Answers] = []
    worth = [question for question in asked if not question.too_few]
    for number, question in enumerate(worth, start=1):
        found.append(answers(question, settings))
        progress(f"{question.cohort.name}: {question.name}", 0.3 + 0.5 * number / len(worth))
    judged = verdicts(found, settings)
    tables = (
        _patients(asked),
        _networks(cohorts),
        *_answers(cohorts, judged, settings),
        _differences(found, settings),
        _permuted(worth, settings),
    )
    progress("done", 1.0)
    limits = [*LIMITS, *(limit for cohort in cohorts for limit in cohort.clinical.limits)]
    return StudyResult(
        TITLE,
        PURPOSE,
        tables,
        (SLICES_TABLE.parent, VOLUMES_TABLE.parent, TCGA_TABLE),
        {"models": MODELS, "components": COMPONENTS, "permutations": PERMUTATIONS},
        (
            StudyFigure(
                "answers",
                "AUC and C of held-out patients",
                partial(answers_figure, judged),
                True,
            ),
        ),
        limits=tuple(dict.fromkeys(limits)),
    )


def _patients(asked: Sequence[Question]) -> StudyTable:
    rows = [
        {
            "cohort": one.cohort.name,
            "question": one.name,
            "known of": f"{len(one.rows)} of {len(one.cohort.table)}",
            "yes, or died": str(one.events),
            "left out together": f"{one.cohort.fold_words} ({len(np.unique(one.fold))})",
            "asked": "no: too few" if one.too_few else "yes",
        }
        for one in asked
    ]
    return StudyTable(
        "patients",
        "Patients",
        pd.DataFrame(rows),
        f"A question is asked where at least {LEAST} patients are of the rarer class, or died.",
    )


def _networks(cohorts: Sequence[RealCohort]) -> StudyTable:
    rows = []
    for cohort in cohorts:
        networks: Any = cohort.provenance["networks"]
        for network in (one for one in networks if one["patients"]):
            rows.append(
                {
                    "cohort": cohort.name,
                    "network": str(network.get("run") or network.get("pack")),
                    "left out": str(network.get("left_out") or "nobody of its own cohorts"),
                    "SHA-256": str(network["sha256"])[:12],
                    "patients read": str(network["patients"]),
                }
            )
    unread = ", ".join(f"{one.unread} of {one.name}" for one in cohorts if one.unread)
    return StudyTable(
        "networks",
        "The networks, none of which saw a patient whom it read",
        pd.DataFrame(rows),
        f"Read by another network than the others, so that features count as unknown: {unread}."
        if unread
        else "",
    )


def _answers(
    cohorts: Sequence[RealCohort], judged: Sequence[Verdict], settings: StudySettings
) -> list[StudyTable]:
    least = min(1.0, 2 * len(judged) / (settings.resamples + 1))
    adjusted = (
        f"p (Holm) is adjusted for the {len(judged)} rows of all cohorts: {settings.resamples} "
        f"resamples cannot give less than {least:.3f}, which true differences may miss."
    )
    tables = []
    for cohort in cohorts:
        own = [one for one in judged if one.question.cohort is cohort]
        if own:
            name = f"answers-{cohort.name.replace('_', '-')}"
            title = f"{cohort.name}: held-out patients, pairs of one {cohort.fold_words}"
            tables.append(
                StudyTable(name, title, verdict_table(own), f"{_reading(own)} {adjusted}")
            )
    return tables


def _reading(judged: Sequence[Verdict]) -> str:
    """What may be claimed, and what not."""
    parts = []
    for blocks, words in ((True, "With the network"), (False, "Without it")):
        own = [one for one in judged if (NETWORK in MODELS[one.model]) is blocks]
        sure = [one for one in own if NO_CLAIM not in one.says]
        named = [f"{one.question.name} from {one.words} is {one.says} chance" for one in sure]
        parts.append(f"{words}: {'; '.join(named) or 'nothing is shown'}.")
    alone = [one for one in judged if MODELS[one.model] == (NETWORK,) and NO_CLAIM in one.says]
    if alone:
        names = ", ".join(one.question.name for one in alone)
        parts.append(f"Of the network alone there is no claim that it tells {names}.")
    return " ".join(parts)


def _differences(found: Sequence[Answers], settings: StudySettings) -> StudyTable:
    table = difference_table(found, settings)
    better = [
        f"{row['question']} ({row['cohort']}) from {row['told']}"
        for row in table.to_dict("records")
        if row["the network"] == ADDS
    ]
    words = (
        f"The network adds to what it is set beside in: {'; '.join(better)}."
        if better
        else "Nowhere is the network shown to add to what it is set beside: no claim that it does."
    )
    return StudyTable(
        "differences",
        "With the network against without, in the same patients",
        table,
        f"{words} p (Holm) is adjusted for all rows of the table.",
    )


def _permuted(worth: Sequence[Question], settings: StudySettings) -> StudyTable:
    """The network alone, of outcomes dealt out at random within hospital or fold."""
    rows = []
    for question in worth:
        generator = np.random.default_rng(settings.seed)
        drawn = []
        for _ in range(PERMUTATIONS):
            order = _within(question.fold, generator)
            truth = question.truth
            shuffled = truth[order] if isinstance(truth, np.ndarray) else truth.take(order)
            other = replace(question, truth=shuffled)
            score = other.held_out(NETWORK, settings.seed)
            drawn.append(float(other.pairs().share(score)[0]))
        rows.append(
            {
                "cohort": question.cohort.name,
                "question": question.name,
                "permutations": str(PERMUTATIONS),
                "mean": f"{np.mean(drawn):.3f}",
                "lowest": f"{min(drawn):.3f}",
                "highest": f"{max(drawn):.3f}",
            }
        )
    return StudyTable(
        "permuted",
        "Negative control: outcomes dealt out at random within hospital or fold",
        pd.DataFrame(rows),
        "The network alone, fitted anew each time. Where nothing of the patients left out leaks "
        "into the fit, one half comes out, give or take what so few patients vary by.",
    )


def _within(fold: "np.ndarray[Any, Any]", generator: np.random.Generator) -> Any:
    """A random order (n,) of patients that keeps everybody in their fold."""
    order = np.arange(fold.size)
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        order[rows] = generator.permutation(rows)
    return order


def answers_figure(judged: Sequence[Verdict], file: Path) -> None:
    """Intervals of all models, a panel for each question.

    Args:
        judged: the verdicts, those of one question side by side.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: there is nothing to draw.
    """
    from gliomaai_training.evaluation.figures import COLOURS, figure_panels

    asked = list(dict.fromkeys(one.question for one in judged))
    if not asked:
        raise ValueError("no answers to draw")
    with figure_panels(file, (1.9 * len(asked) + 2.0, 2.7), len(asked)) as axes:
        for panel, question in zip(axes, asked, strict=True):
            rows = [one for one in judged if one.question is question]
            panel.axvline(CHANCE, color="#999999", linewidth=0.8, linestyle="--")
            for place, one in enumerate(rows):
                colour = COLOURS[1] if NETWORK in MODELS[one.model] else COLOURS[0]
                ends = [one.interval.low, one.interval.high]
                panel.plot(ends, [place, place], color=colour, linewidth=1.4)
                panel.plot(one.interval.estimate, place, "o", color=colour, markersize=4)
            names = [one.model if question is asked[0] else "" for one in rows]
            panel.set_yticks(range(len(rows)), names, fontsize=8)
            panel.set(xlabel=question.measure, xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
            size = f"n = {len(question.rows)}, {question.events} {question.happened}"
            panel.set_title(f"{question.cohort.name}\n{question.name}\n{size}", fontsize=8)
            panel.grid(axis="y", visible=False)
