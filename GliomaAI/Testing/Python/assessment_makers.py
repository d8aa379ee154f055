"""Small made-up studies and assessments for the tests of assessment and output."""

from dataclasses import replace
from functools import cache

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.assessment.assess import assess
from GliomaAILib.assessment.assessment import Assessment, PackUse, Provenance
from GliomaAILib.intake.case import Case, Source
from GliomaAILib.intake.facts import ClinicalFacts

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def grid_of(
    size: tuple[int, int, int],
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    direction: tuple[float, ...] = IDENTITY,
) -> Grid:
    return Grid(size, spacing_mm, origin_mm, direction)


def points_lps(grid: Grid) -> NDArray[np.float64]:
    """LPS mm of every voxel centre, shaped (k, j, i, 3)."""
    k, j, i = np.indices(grid.size[::-1])
    index = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return np.asarray((index @ grid.ijk_to_lps.T)[..., :3])


def ball(grid: Grid, centre_lps: tuple[float, float, float], radius_mm: float) -> NDArray[np.bool_]:
    distance = np.linalg.norm(points_lps(grid) - np.asarray(centre_lps), axis=-1)
    return np.asarray(distance <= radius_mm)


def template_study(
    tumour_ras_mm: tuple[float, float, float] | None = (30.0, 30.0, 20.0),
    sequences: tuple[str, ...] = SEQUENCES,
) -> tuple[Case, Prepared, Prediction]:
    """The ICBM152 template at 2 mm as every sequence, with a ball of tumour (RAS mm) in it."""
    image = sitk.BinShrink(icbm152("t1"), [2, 2, 2])
    grid = Grid.of(image)
    brain = sitk.Cast(image > 0.05, sitk.sitkUInt8)
    images = {
        name: image * 200.0 if name in ("t1", "t1gd") else (1.0 - image) * 200.0
        for name in sequences
    }
    labels = np.zeros(grid.size[::-1], np.uint8)
    if tumour_ras_mm is not None:
        centre = (-tumour_ras_mm[0], -tumour_ras_mm[1], tumour_ras_mm[2])
        for value, radius_mm in ((2, 20.0), (3, 14.0), (1, 9.0)):
            labels[ball(grid, centre, radius_mm)] = value
    probabilities = np.eye(4, dtype=np.float32)[labels].transpose(3, 0, 1, 2).copy()
    reference = "t1gd" if "t1gd" in sequences else sequences[0]
    prepared = Prepared(
        sequences=images,
        brain_mask=brain,
        reference=reference,
        native_grids=dict.fromkeys(sequences, grid),
        to_native={name: sitk.Transform(3, sitk.sitkIdentity) for name in sequences},
        findings=(),
        steps={"registration": "none was needed"},
    )
    entropy = grid.image(np.where(labels > 0, 0.3, 0.0).astype(np.float32))
    prediction = Prediction(
        probabilities, grid.image(labels), entropy, 0.9, "torch fp32 cpu", "test-pack", "ab" * 32
    )
    sources = {
        name: Source((f"{name}.nii",), "0" * 63 + str(n), "NIfTI", f"{name}.nii", 0.9, ("name",))
        for n, name in enumerate(sequences)
    }
    return Case(images, sources, ClinicalFacts(60.0, "F")), prepared, prediction


PROVENANCE = Provenance(
    created_utc="2026-01-31T12:00:00+00:00",
    gliomaai_version="0.1.0",
    software={"python": "3.11"},
    model_packs=(PackUse("test-pack", "1.0.0", "ab" * 32),),
    engine="torch fp32 cpu",
    timings_s={"inference": 1.5},
    options={"reference": "t1gd"},
)


def assessment_with(assessment: Assessment, *findings: Finding) -> Assessment:
    return replace(assessment, findings=findings)


@cache
def template_assessment(
    tumour_ras_mm: tuple[float, float, float] | None = (30.0, 30.0, 20.0),
    sequences: tuple[str, ...] = SEQUENCES,
) -> Assessment:
    """What was measured of such a study; made once for all tests, which change nothing in it."""
    case, prepared, prediction = template_study(tumour_ras_mm, sequences)
    return assess(case, prepared, prediction, PROVENANCE)


HOSTILE = Finding(
    "test.hostile", Severity.WARNING, "<script>alert('message')</script>", "<b>action</b>"
)
