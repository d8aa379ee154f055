"""Which features stay the same when the mask changes: fitted on training cases only."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.agreement import icc
from gliomaai_training.radiomics.config import DEFAULT_RECIPE, RadiomicsConfig
from gliomaai_training.radiomics.extract import STAGE, extract, feature_columns
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.radiomics.perturbation import draw_perturbation, perturbed

STABLE = 0.75
"""ICC from which agreement is called good (Koo and Li 2016)."""

AGREEMENT_COLUMNS = ("feature", "icc", "low", "high", "cases")


def perturbation_agreement(
    cases: Sequence[FeatureCase],
    generator: np.random.Generator,
    config: RadiomicsConfig = DEFAULT_RECIPE,
    readings: int = 4,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Agreement of every feature between a case and its perturbations.

    Args:
        cases: at least two, of the training part.
        generator: of the perturbations.
        config: what is measured.
        readings: how often a case is measured: as it is, and perturbed.
        progress: told after each case; may cancel.

    Returns:
        `AGREEMENT_COLUMNS`, a row for each feature.

    Raises:
        ValueError: fewer than two cases or readings.
    """
    if len(cases) < 2 or readings < 2:
        raise ValueError(f"{len(cases)} cases in {readings} readings show no agreement; use 2 each")
    measured = perturbed_readings(cases, generator, config, readings, progress)
    return agreement_table(feature_columns(config), measured)


def perturbed_readings(
    cases: Sequence[FeatureCase],
    generator: np.random.Generator,
    config: RadiomicsConfig = DEFAULT_RECIPE,
    readings: int = 4,
    progress: Progress = silent,
) -> NDArray[np.float64]:
    """The features (n, readings, p) of cases as they are, and perturbed.

    Args:
        as `perturbation_agreement`.
    """
    measured = np.empty((len(cases), readings, len(feature_columns(config))))
    for number, case in enumerate(cases):
        versions = [case] + [
            perturbed(case, draw_perturbation(generator)) for _ in range(readings - 1)
        ]
        for reading, version in enumerate(versions):
            measured[number, reading] = list(extract(version, config).values.values())
        progress(STAGE, (number + 1) / len(cases))
    return measured


def table_agreement(tables: Sequence[pd.DataFrame], features: Sequence[str]) -> pd.DataFrame:
    """Agreement between feature tables of the same cases, as from expert and predicted masks.

    Args:
        tables: each with a column `case`; cases that any of them lacks are left out.
        features: the columns to compare.

    Returns:
        `AGREEMENT_COLUMNS`, a row for each feature.

    Raises:
        ValueError: fewer than two tables or shared cases, a case that stands twice, or a column
            that a table lacks.
    """
    shared = _shared_cases(tables)
    for table in tables:
        missing = sorted(set(features) - set(table.columns))
        if missing:
            raise ValueError(f"a table lacks the features {missing[:5]}")
    readings = [table.set_index("case").loc[shared, list(features)] for table in tables]
    values = np.stack([np.asarray(part, np.float64) for part in readings], axis=1)
    return agreement_table(features, values)


def stable_features(
    agreement: pd.DataFrame, minimum: float = STABLE, by_lower_bound: bool = False
) -> list[str]:
    """The features whose ICC, or its interval's lower bound, is at least `minimum`."""
    value = agreement["low" if by_lower_bound else "icc"]
    return [str(name) for name in agreement.loc[value >= minimum, "feature"]]


def _shared_cases(tables: Sequence[pd.DataFrame]) -> list[str]:
    if len(tables) < 2:
        raise ValueError("agreement needs at least two tables")
    for table in tables:
        if table["case"].duplicated().any():
            raise ValueError("a table holds a case twice")
    others = [set(table["case"]) for table in tables[1:]]
    shared = [case for case in tables[0]["case"] if all(case in other for other in others)]
    if len(shared) < 2:
        raise ValueError(f"the tables share {len(shared)} cases; agreement needs at least 2")
    return shared


def agreement_table(features: Sequence[str], values: NDArray[np.float64]) -> pd.DataFrame:
    """Agreement of p features from their readings (n, k, p), as `AGREEMENT_COLUMNS`.

    Raises:
        ValueError: as `agreement.icc`.
    """
    found = icc(values)
    columns = [list(features), found.estimate, found.low, found.high, found.cases]
    return pd.DataFrame(dict(zip(AGREEMENT_COLUMNS, columns, strict=True)))
