"""What is known of a patient, as statistical models ask for it."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk

from gliomaai_training.covariates import (
    MEASURES,
    PARTS,
    WHO_STATE,
    age_in_groups,
    radiomics_name,
)
from gliomaai_training.diagnosis.states import CODELETED, INTACT, MUTANT, WILD_TYPE
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.survival.terms import Value
from gliomaai_training.vocabulary import REGIONS
from GliomaAILib.assessment.estimates import Diagnosis
from GliomaAILib.assessment.foci import bounding_box
from GliomaAILib.assessment.measures import Measures
from GliomaAILib.intake.facts import ClinicalFacts


def of_facts(facts: ClinicalFacts) -> dict[str, Value]:
    """The facts that somebody gave, by the names that models use."""
    return {
        name: float(value) if isinstance(value, int) else value
        for name, value in facts.known.items()
    }


def of_measures(measures: Measures, labels: sitk.Image) -> dict[str, Value]:
    """What the mask tells, by `covariates.MEASURES`; None where there is nothing to measure.

    Args:
        measures: of the labels.
        labels: `vocabulary.Label` values on the common grid.
    """
    place, side = measures.location, measures.laterality
    values: dict[str, Value] = {f"{part.lower()}_ml": measures.volumes_ml[part] for part in PARTS}
    for region in REGIONS:
        pair = measures.diameters.get(region)
        values[f"{region.lower()}_longest_mm"] = 0.0 if pair is None else pair.longest_mm
        values[f"{region.lower()}_perpendicular_mm"] = (
            0.0 if pair is None else pair.perpendicular_mm
        )
    values |= {
        **_form(labels),
        "enhancing_proportion": measures.enhancing_proportion,
        "necrotic_proportion": measures.necrotic_proportion,
        "enhancing_proportion_of_core": measures.enhancing_proportion_of_core,
        "foci": float(len(measures.foci["WT"])),
        "side": None if side is None else side.side,
        "crosses_midline": None if side is None else ("yes" if side.crosses_midline else "no"),
        "lobe": None if place is None else place.lobe,
    }
    return {name: values.get(name) for name in MEASURES}


def _form(labels: sitk.Image) -> dict[str, Value]:
    """Form of the whole tumour, as the training cohorts are measured."""
    from gliomaai_training.diagnosis.covariates import whole_tumour_covariates
    from gliomaai_training.radiomics.shape import shape_features

    array = sitk.GetArrayViewFromImage(labels)
    box = bounding_box(array > 0)
    if box is None:
        return {}
    inside = np.pad(array[box] > 0, 1)
    i, j, k = labels.GetSpacing()
    found = whole_tumour_covariates(shape_features(inside, (k, j, i)))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def of_diagnosis(diagnosis: Diagnosis | None, age_years: float | None) -> dict[str, Value]:
    """What the probabilities of the states say, certain or not."""
    if diagnosis is None:
        return {}
    possible = {state: chance for state, chance in diagnosis.states.items() if chance > 0}
    mutant = diagnosis.marginals["idh_mutant"]
    codeleted = diagnosis.marginals["codeleted_1p19q"]
    state = _certain(possible)
    known = isinstance(state, str) and age_years is not None
    return {
        **(age_in_groups(float(age_years or 0), str(state)) if known else {}),
        WHO_STATE: state,
        "idh": _certain({MUTANT: mutant, WILD_TYPE: 1 - mutant}),
        "codeletion_1p19q": _certain({CODELETED: codeleted, INTACT: 1 - codeleted}),
    }


def _certain(chances: Mapping[str, float]) -> Value:
    """A category where nothing else is possible, else the probabilities."""
    total = sum(chances.values())
    possible = {name: chance / total for name, chance in chances.items() if chance > 0}
    return next(iter(possible)) if len(possible) == 1 else possible


def of_radiomics(
    prepared: Prepared, labels: sitk.Image, wanted: Collection[str], recipe: Mapping[str, Any]
) -> dict[str, Value]:
    """The radiomics features that models ask for; those that are unknown are left out.

    Args:
        prepared: the study.
        labels: `vocabulary.Label` values on its common grid.
        wanted: names of covariates; others than radiomics are passed over.
        recipe: how the features are measured (`RadiomicsConfig.to_json`).

    Raises:
        ValueError: the recipe is wrong, or an image cannot be measured.
    """
    names = {name: parts for name in wanted if (parts := radiomics_name(name)) is not None}
    if not names:
        return {}
    from gliomaai_training.radiomics.config import FEATURE_CLASSES, config_from_json
    from gliomaai_training.radiomics.extract import extract
    from gliomaai_training.radiomics.images import FeatureCase

    config = config_from_json(recipe)
    sequences = {parts.sequence for parts in names.values()}
    groups = {parts.group for parts in names.values()}
    config = dataclasses.replace(
        config,
        sequences=tuple(one for one in config.sequences if one in sequences),
        classes=tuple(one for one in FEATURE_CLASSES if one in groups),
    )
    found = extract(FeatureCase.of("study", prepared, labels), config).values
    known = {name: float(found[name]) for name in names if name in found}
    return {name: value for name, value in known.items() if np.isfinite(value)}
