"""Figures of the post-operative study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gliomaai_training.studies.predictions import PredictedSurvival, SurvivalPredictions
from gliomaai_training.studies.scores import Judged
from gliomaai_training.studies.study import StudyFigure
from gliomaai_training.survival.nomogram import Nomogram

GROUPS = ("low", "middle", "high")
END_MONTHS = 60.0
DECISION_MONTHS = 24.0
THRESHOLDS = tuple(float(value) for value in np.round(np.arange(0.10, 0.901, 0.05), 2))


@dataclass(frozen=True, eq=False)
class Drawn:
    """What is drawn."""

    judged: Judged
    final: PredictedSurvival
    """Fitted without UCSF-PDGM."""
    cuts: tuple[float, float]
    """Thirds of its risk in TCGA."""
    calibrated: Mapping[str, PredictedSurvival]
    useful: Mapping[str, PredictedSurvival]
    nomogram: Nomogram


def figures(drawn: Drawn) -> tuple[StudyFigure, ...]:
    """The study's figures."""
    return (
        StudyFigure(
            "risk-groups",
            "Survival of UCSF-PDGM in the thirds of TCGA's predicted risk",
            partial(risk_groups, drawn.final, drawn.judged, drawn.cuts),
            for_summary=True,
        ),
        StudyFigure(
            "calibration",
            "Calibration in UCSF-PDGM before and after repair",
            partial(calibration, drawn.calibrated, drawn.judged),
            for_summary=True,
        ),
        StudyFigure(
            "decision",
            f"Decision curves at {DECISION_MONTHS:g} months",
            partial(decision, drawn.useful, drawn.judged),
        ),
        StudyFigure(
            "nomogram",
            "Post-operative nomogram",
            partial(nomogram, drawn.nomogram),
            for_summary=True,
        ),
    )


def risk_groups(
    predicted: PredictedSurvival, judged: Judged, cuts: Sequence[float], file: Path
) -> None:
    """Kaplan-Meier curves of groups by predicted risk."""
    from gliomaai_training.survival.kaplan_meier import kaplan_meier, log_rank
    from gliomaai_training.survival.survival_figures import KaplanMeierPlan, kaplan_meier_figure

    group = np.searchsorted(np.asarray(cuts), predicted.risk())
    members = {
        name: judged.followed.take(group == number)
        for number, name in enumerate(GROUPS)
        if (group == number).any()
    }
    curves = [kaplan_meier(one, name) for name, one in members.items()]
    test = log_rank(members) if len(members) > 1 else None
    kaplan_meier_figure(
        curves, file, KaplanMeierPlan("UCSF-PDGM by predicted risk", test, END_MONTHS)
    )


def calibration(models: Mapping[str, SurvivalPredictions], judged: Judged, file: Path) -> None:
    """Smooth and grouped calibration at each horizon that the follow-up reaches."""
    from gliomaai_training.survival.calibration import (
        SMOOTH_BOOTSTRAP,
        grouped_calibration,
        smooth_calibration,
    )
    from gliomaai_training.survival.figures_calibration import DrawnCalibration, calibration_plot

    drawn = []
    for months in judged.horizons_months:
        for name, one in models.items():
            survival = one.survival(months)[:, 0]
            smooth = smooth_calibration(
                survival, judged.followed, months, judged.generator(), SMOOTH_BOOTSTRAP
            )
            groups = grouped_calibration(survival, judged.followed, months)
            drawn.append(DrawnCalibration(name, smooth, groups))
    calibration_plot(drawn, file)


def decision(models: Mapping[str, PredictedSurvival], judged: Judged, file: Path) -> None:
    """Net benefit of acting on each model's predictions."""
    from gliomaai_training.survival.decision_curve import decision_curves
    from gliomaai_training.survival.figures_calibration import decision_plot

    survival = {name: one.survival(DECISION_MONTHS)[:, 0] for name, one in models.items()}
    curves = decision_curves(
        survival, judged.followed, DECISION_MONTHS, judged.generator(), THRESHOLDS, judged.config
    )
    decision_plot(curves, DECISION_MONTHS, file)


def nomogram(drawn: Nomogram, file: Path) -> None:
    """The nomogram."""
    from gliomaai_training.survival.nomogram_figure import nomogram_figure

    nomogram_figure(drawn, file)
