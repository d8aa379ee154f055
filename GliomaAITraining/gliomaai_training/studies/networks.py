"""The published systems, the unified network and its ablations, on the same simulated patients."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.simulated import LIMITS, read_simulated
from gliomaai_training.evaluation.tasks.answers import HeldOut
from gliomaai_training.evaluation.tasks.calibration import calibration_table
from gliomaai_training.evaluation.tasks.coherence import coherence_table
from gliomaai_training.evaluation.tasks.comparison import (
    ComparisonConfig,
    compare_configurations,
    comparison_table,
    difference_table,
    rounded,
)
from gliomaai_training.evaluation.tasks.configurations import Configuration, ReferenceStandard
from gliomaai_training.evaluation.tasks.figures import difference_figure
from gliomaai_training.evaluation.tasks.measures import TaskScoreConfig, judged
from gliomaai_training.evaluation.tasks.predictions import runs_of
from gliomaai_training.evaluation.tasks.scores import oracle_table
from gliomaai_training.evaluation.tasks.subsets import (
    SubsetConfig,
    subset_gain,
    subset_scores,
    t1gd_law,
    task_subset_table,
)
from gliomaai_training.evaluation.tasks.truth import read_true_risk, truth_of
from gliomaai_training.progress import Progress
from gliomaai_training.studies.networks_config import NetworksConfig, read_networks
from gliomaai_training.studies.networks_runs import Places, RowPredictions, all_predictions
from gliomaai_training.studies.study import StudyFigure, StudyResult, StudySettings, StudyTable

FIGURE_METRICS = ("dice_wt", "dice_et", "idh_auc", "codeletion_auc", "grade_4_auc", "harrell_c")
TRAINED = 0.9
"""How much of the progress the trainings are."""


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Trains what is not trained yet, and compares.

    Raises:
        ValueError: there is no list of networks or no cache to train in, or as `read_networks`.
    """
    if settings.networks is None or settings.cache is None:
        raise ValueError("the study networks needs its list: --networks YAML")
    config = read_networks(settings.networks)
    places = Places(settings.data / config.table.parent, settings.cache)
    found = list(
        all_predictions(config, places, lambda stage, done: progress(stage, TRAINED * done))
    )
    progress("tables", TRAINED)
    return _result(config, found, settings)


def _result(
    config: NetworksConfig, found: Sequence[RowPredictions], settings: StudySettings
) -> StudyResult:
    table = settings.data / config.table
    truth = truth_of(read_simulated(table), read_true_risk(table))
    scores = TaskScoreConfig(bootstrap=settings.bootstrap, seed=settings.seed)
    judge = ReferenceStandard(truth)
    named = {one.row.name: _configuration(one) for one in found}
    compared = compare_configurations(
        list(named.values()), judge, ComparisonConfig(config.reference, scores=scores)
    )
    test = next(one.test for one in found if one.test is not None)
    patients = test["patient"].nunique()
    return StudyResult(
        title="Networks on simulated patients",
        purpose=(
            f"Every network was trained on the same simulated patients and judged on the same "
            f"{patients} others, whom none of them saw. Intervals are over patients; the spread of "
            "seeds is told apart from them."
        ),
        tables=(
            StudyTable("comparison", "Configurations", comparison_table(compared)),
            StudyTable("differences", "Differences to the reference", difference_table(compared)),
            StudyTable("numbers", "In numbers", rounded(compared), in_summary=False),
            StudyTable(
                "oracle", "Beside the oracle", _oracle(found, judge, scores), ORACLE_READING
            ),
            StudyTable("coherence", "Incoherent answers", _coherence(found)),
            *_subset_tables(config, named, judge, scores),
            *_calibration(config, found, judge, settings),
        ),
        inputs=(config.table,),
        config={"networks": config.model_dump(mode="json", exclude={"folder"})},
        figures=(
            StudyFigure(
                "differences",
                "Differences to the reference",
                partial(difference_figure, compared, _drawn(compared)),
                for_summary=True,
            ),
        ),
        limits=LIMITS,
    )


ORACLE_READING = (
    "The oracle ranks patients by the true risk that their deaths were drawn from. A model that is "
    "better than it by more than chance would have seen what it must not."
)


def _configuration(one: RowPredictions) -> Configuration:
    return Configuration(one.row.name, one.test, one.dice)


def _drawn(compared: pd.DataFrame) -> list[str]:
    """The metrics of the figure that anybody has a value of."""
    told = set(compared.loc[compared["difference"].notna(), "metric"])
    return [metric for metric in FIGURE_METRICS if metric in told]


def _oracle(
    found: Sequence[RowPredictions], judge: ReferenceStandard, scores: TaskScoreConfig
) -> pd.DataFrame:
    tables = []
    for one in found:
        if one.test is None or "risk" not in one.test.columns:
            continue
        told = oracle_table(judged(runs_of(one.test), judge.truth), scores)
        tables.append(told.assign(configuration=one.row.name))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return rounded(table[["configuration", *table.columns.drop("configuration")]])


def _coherence(found: Sequence[RowPredictions]) -> pd.DataFrame:
    tables = [
        coherence_table(runs_of(one.test)).assign(configuration=one.row.name)
        for one in found
        if one.test is not None
    ]
    table = pd.concat([one for one in tables if len(one)], ignore_index=True)
    return rounded(table[["configuration", *table.columns.drop("configuration")]])


def _subset_tables(
    config: NetworksConfig,
    named: Mapping[str, Configuration],
    judge: ReferenceStandard,
    scores: TaskScoreConfig,
) -> list[StudyTable]:
    """Of the rows that were judged through subsets, and what adaptation gains on them."""
    tables = []
    subset_config = SubsetConfig(scores=scores)
    for number, row in enumerate(one for one in config.rows if one.subsets):
        told = task_subset_table(subset_scores(named[row.name], judge, subset_config))
        tables.append(StudyTable(f"subsets-{number}", f"Missing sequences: {row.name}", told))
        results = named[row.name].segmentation
        if results is not None:
            law = rounded(t1gd_law(results, scores))
            tables.append(StudyTable(f"law-{number}", f"Without T1Gd: {row.name}", law))
    for number, (adapted, plain) in enumerate(config.adaptations):
        gain = subset_gain(named[adapted], named[plain], judge, subset_config)
        title = f"Adaptation to missing sequences: {adapted} less {plain}"
        tables.append(StudyTable(f"adaptation-{number}", title, rounded(gain)))
    return tables


def _calibration(
    config: NetworksConfig,
    found: Sequence[RowPredictions],
    judge: ReferenceStandard,
    settings: StudySettings,
) -> list[StudyTable]:
    held = {
        one.row.name: HeldOut(one.validation, one.test)
        for one in found
        if one.row.name in config.calibrated and one.test is not None and one.validation is not None
    }
    if not held:
        return []
    generator = np.random.default_rng(settings.seed)
    table = calibration_table(held, judge.truth, generator, config=settings.bootstrap)
    return [StudyTable("calibration", "Calibration of the tasks", table)]
