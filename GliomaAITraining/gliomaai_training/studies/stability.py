"""Which radiomics features can be trusted when the mask is not the expert's.

Two changes of the mask: perturbed as another expert might draw it, and drawn by a network that had
not seen the patient. Agreement with the features in the expert's own mask is ICC(2,1).
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import VOLUMES_TABLE
from gliomaai_training.cohorts.ucsf_pdgm import TABLE as UCSF_CLINICAL
from gliomaai_training.covariates import radiomics_name
from gliomaai_training.evaluation.bootstrap import Interval, bootstrap_interval, intervals
from gliomaai_training.progress import Progress
from gliomaai_training.radiomics.agreement import icc
from gliomaai_training.radiomics.config import FEATURE_CLASSES, FEATURE_REGIONS
from gliomaai_training.radiomics.extract import shape_column
from gliomaai_training.radiomics.perturbation import DEFAULT_RANGES
from gliomaai_training.radiomics.stability import STABLE, agreement_table
from gliomaai_training.studies.stability_figure import stability_figure
from gliomaai_training.studies.stability_filter import filter_table
from gliomaai_training.studies.stability_readings import (
    READINGS,
    RECIPE,
    Readings,
    read_readings,
)
from gliomaai_training.studies.study import (
    StudyFigure,
    StudyResult,
    StudySettings,
    StudyTable,
)
from gliomaai_training.studies.tumour_tables import UCSF_TABLE
from gliomaai_training.vocabulary import SEQUENCES

Floats = NDArray[np.float64]

EXCELLENT = 0.9
"""ICC from which agreement is called excellent (Koo and Li 2016)."""
PERTURBED, PREDICTED = "perturbed", "predicted"
KINDS = (PERTURBED, PREDICTED)
FORM = "form"
"""In place of a sequence: the feature needs no image."""

CLINIC: Mapping[str, str] = {
    "volume of the tumour": shape_column("WT", "VoxelVolume"),
    "major axis of the tumour": shape_column("WT", "MajorAxisLength"),
    "elongation of the tumour": shape_column("WT", "Elongation"),
    "flatness of the tumour": shape_column("WT", "Flatness"),
    "volume of the enhancing part": shape_column("ET", "VoxelVolume"),
    "volume of the necrotic or non-enhancing core": shape_column("NCR", "VoxelVolume"),
    "volume of the oedema": shape_column("ED", "VoxelVolume"),
}
"""What the packed models of diagnosis and prognosis measure."""


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study.

    Raises:
        ValueError: as `stability_readings.read_readings`.
    """
    readings = read_readings(settings, progress)
    agreement = agreements(readings)
    progress("shares", 0.92)
    shares = share_tables(agreement, readings, settings)
    progress("filters", 0.95)
    cases = len(readings.predicted)
    return StudyResult(
        title="Radiomics when the mask changes",
        purpose=(
            f"{len(readings.features):,} features of {cases} patients in the expert's mask, "
            f"against the same mask perturbed ({READINGS - 1} times: turned by up to "
            f"{DEFAULT_RANGES.rotation_degrees:g} degrees, moved by up to "
            f"{DEFAULT_RANGES.translation_voxels:g} voxel, grown or shrunk by up to "
            f"{100 * DEFAULT_RANGES.volume_change:g} %, contour redrawn), and against the mask of "
            "a network that was trained without the patient (cross-validation). Agreement is "
            "ICC(2,1), absolute agreement of single readings, with the interval of McGraw and Wong."
        ),
        tables=(
            _masks(readings.overlap, settings),
            *shares,
            _clinic(agreement),
            _every_feature(agreement),
            filter_table(agreement, settings),
        ),
        inputs=(VOLUMES_TABLE, VOLUMES_TABLE.parent, UCSF_CLINICAL, UCSF_TABLE),
        config={"recipe": RECIPE.to_json(), "readings": READINGS, "ranges": DEFAULT_RANGES},
        figures=(
            StudyFigure(
                "agreement",
                "Agreement with the expert's mask",
                partial(stability_figure, agreement),
                for_summary=True,
            ),
        ),
        limits=(
            f"{cases} patients, stored in 8 bits, nearly all of high grade: intervals of single "
            "features are wide.",
            "ICC depends on how different the patients are: features agree better in a mixed "
            "cohort than in one of like tumours.",
            "A region that one of the masks lacks leaves the patient out for its features, except "
            "for volumes: features of small regions are judged in the easier patients.",
            "One expert mask for each patient; how far experts differ among themselves is not "
            "measured here, the perturbations only imitate it.",
        ),
    )


def agreements(readings: Readings) -> pd.DataFrame:
    """A row for each feature: `sequence`, `region`, `class`, then ICC, interval and number of
    patients of both kinds, as `perturbed`, `perturbed low`, ..."""
    parts = [_parts(name) for name in readings.features]
    found = pd.DataFrame(parts, columns=["sequence", "region", "class"])
    found.insert(0, "feature", list(readings.features))
    for kind, values in zip(KINDS, (readings.perturbed, readings.predicted), strict=True):
        one = agreement_table(readings.features, values)
        found[kind] = one["icc"]
        for name in ("low", "high", "cases"):
            found[f"{kind} {name}"] = one[name]
    return found


def _parts(name: str) -> tuple[str, str, str]:
    parts = radiomics_name(name)
    if parts is None:
        raise ValueError(f"{name!r} is no radiomics feature")
    return parts.sequence or FORM, parts.region, parts.group


def _masks(overlap: pd.DataFrame, settings: StudySettings) -> StudyTable:
    rows = []
    for region in FEATURE_REGIONS:
        part = overlap[overlap["region"] == region]
        both = (part["expert_ml"] > 0) & (part["predicted_ml"] > 0)
        ratio = part.loc[both, "predicted_ml"] / part.loc[both, "expert_ml"]
        rows.append(
            {
                "region": region,
                "n": str(len(part)),
                "Dice": str(
                    bootstrap_interval(
                        part["dice"], np.random.default_rng(settings.seed), settings.bootstrap
                    )
                ),
                "median Dice": f"{part['dice'].median():.3f}",
                "predicted / expert volume, median": f"{ratio.median():.2f}",
                "quartiles": f"{ratio.quantile(0.25):.2f} to {ratio.quantile(0.75):.2f}",
                "in both masks": str(int(both.sum())),
            }
        )
    folds = overlap["fold"].nunique()
    return StudyTable(
        "masks",
        "The predicted masks",
        pd.DataFrame(rows),
        f"Each drawn by a network trained without the patient (held-out folds: {folds}). ED and "
        "NCR are the parts, WT, TC and ET the nested regions.",
    )


def share_tables(
    agreement: pd.DataFrame, readings: Readings, settings: StudySettings
) -> tuple[StudyTable, ...]:
    """Shares of stable features: by class, sequence and region."""
    groups: dict[str, Mapping[str, NDArray[np.bool_]]] = {
        "class": {name: _is(agreement, "class", name) for name in FEATURE_CLASSES},
        "sequence": {name: _is(agreement, "sequence", name) for name in (FORM, *SEQUENCES)},
        "region": {name: _is(agreement, "region", name) for name in FEATURE_REGIONS},
    }
    everyone = {"all": np.ones(len(agreement), bool)}
    several = {
        f"{by} {name}": of for by, part in groups.items() for name, of in part.items() if of.any()
    }
    shares = _share_intervals(readings, {**everyone, **several}, settings)
    titles = {"class": "feature class", "sequence": "sequence", "region": "region"}
    tables = []
    for by, part in groups.items():
        named = {name: (f"{by} {name}", of) for name, of in part.items() if of.any()}
        named["all"] = ("all", everyone["all"])
        rows = [
            {titles[by]: name, "features": str(int(of.sum()))} | _cells(agreement[of], shares[key])
            for name, (key, of) in named.items()
        ]
        reading = _SHARES_READING if by == "class" else ""
        tables.append(
            StudyTable(f"by-{by}", f"By {titles[by]}", pd.DataFrame(rows), reading),
        )
    return tuple(tables)


_SHARES_READING = (
    f"`above .75` and `above .9`: share of the features whose ICC is at least {STABLE} (good) and "
    f"{EXCELLENT} (excellent). Intervals of shares are by bootstrap of the patients. `surely`: the "
    f"interval of the feature's own ICC lies above {STABLE} in predicted masks."
)


def _is(agreement: pd.DataFrame, column: str, name: str) -> NDArray[np.bool_]:
    return np.asarray(agreement[column] == name)


def _share_intervals(
    readings: Readings, groups: Mapping[str, NDArray[np.bool_]], settings: StudySettings
) -> Mapping[str, Mapping[tuple[str, float], Interval]]:
    """By group, of each kind of mask and limit, the share of features that reach the limit."""
    members = np.stack(list(groups.values())).astype(np.float64)
    keys = [(kind, limit) for kind in KINDS for limit in (STABLE, EXCELLENT)]

    def statistics(draws: NDArray[np.int64]) -> Floats:
        found = np.empty((len(draws), len(keys), len(members)))
        for number, draw in enumerate(draws):
            rows = np.repeat(np.arange(len(draw)), draw)
            for k, values in enumerate((readings.perturbed, readings.predicted)):
                reached = icc(values[rows]).estimate
                for m, limit in enumerate((STABLE, EXCELLENT)):
                    found[number, 2 * k + m] = members @ (reached >= limit) / members.sum(axis=1)
        return found.reshape(len(draws), -1)

    generator = np.random.default_rng(settings.seed)
    flat = intervals(statistics, len(readings.predicted), generator, settings.bootstrap)
    names = list(groups)
    return {
        name: {key: flat[k * len(names) + n] for k, key in enumerate(keys)}
        for n, name in enumerate(names)
    }


def _cells(part: pd.DataFrame, shares: Mapping[tuple[str, float], Interval]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for kind in KINDS:
        cells[f"{kind}: median ICC"] = f"{part[kind].median():.2f}"
        for limit in (STABLE, EXCELLENT):
            words = f"{kind}: above {limit:g}".replace("0.", ".")
            cells[words] = _percent(shares[kind, limit])
    surely = float((part[f"{PREDICTED} low"] >= STABLE).mean())
    return cells | {"surely": f"{100 * surely:.0f} %"}


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _clinic(agreement: pd.DataFrame) -> StudyTable:
    rows, weak = [], []
    for words, name in CLINIC.items():
        found = agreement[agreement["feature"] == name]
        row = {"measure": words, "patients": str(int(found[f"{PREDICTED} cases"].iloc[0]))}
        for kind in KINDS:
            ends = (float(found[f"{kind}{end}"].iloc[0]) for end in ("", " low", " high"))
            row[f"ICC, {kind} masks"] = str(Interval(*ends))
        rows.append(row)
        if not float(found[PREDICTED].iloc[0]) >= STABLE:
            weak.append(words)
    told = "none of them" if not weak else ", ".join(weak)
    return StudyTable(
        "clinic",
        "What the packed models measure",
        pd.DataFrame(rows),
        "Diagnosis and prognosis use these, and nothing of the intensities. "
        f"Below {STABLE} in predicted masks: {told}.",
    )


def _every_feature(agreement: pd.DataFrame) -> StudyTable:
    shown = agreement.copy()
    numbers = [f"{kind}{end}" for kind in KINDS for end in ("", " low", " high")]
    shown[numbers] = shown[numbers].round(3)
    return StudyTable("features", "Every feature", shown, in_summary=False)
