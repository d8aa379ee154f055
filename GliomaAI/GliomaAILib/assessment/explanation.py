"""Why the network answers as it does, with the mask as it is now; or why that cannot be told."""

import dataclasses
from collections.abc import Iterator

import SimpleITK as sitk

from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.interpretation.explanations import (
    ExplainedAnswer,
    StudyExplanation,
    Target,
)
from gliomaai_training.interpretation.study import ExplainConfig, explain_study
from gliomaai_training.preprocessing.resampling import resample
from gliomaai_training.progress import Progress, silent
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.diagnosis import tissue_known
from GliomaAILib.assessment.estimates import SIMULATED_ONLY
from GliomaAILib.assessment.network import NO_READER
from GliomaAILib.intake.facts import ClinicalFacts

NO_HEADS = (
    "The model pack segments and answers nothing else, so that there is no answer to explain: "
    "choose a multi-task pack and run the analysis again."
)
NO_TUMOUR = "No tumour was found: there is no answer to explain."

IMPORTANCE_NOTE = (
    "Importance of a sequence: how far it moved the answer away from what is said of a patient "
    "without images (the share among the patients that the network learnt from). These are exact "
    "Shapley values over all subsets of the sequences, and add up to the whole step. They tell "
    "what the network used, not whether it is right."
)
MAP_NOTE = (
    "Map: where in the images the answer comes from, by integrated gradients. The tumour's outline "
    "is given, not explained. A map shows neither a cause nor the tumour's border. Each was "
    "compared with that of the same network before it learnt anything, and is left out where the "
    "two are alike."
)
TISSUE_NOTE = "What tissue told plays no part in it: the network's own answer is explained."
ONE_SEQUENCE = "With one sequence, what it adds is the whole step."

LARGE_GAP = 0.2
"""Share of an answer's step that a map may leave open without a word."""


def explained(
    assessment: Assessment,
    reader: TaskReader | None,
    config: ExplainConfig,
    progress: Progress = silent,
) -> Assessment:
    """The assessment with an explanation of the network's answers, or the reason why not.

    Args:
        assessment: its features come from the run, its labels are the network's or corrected.
        reader: of the pack that gave the features.
        config: device, steps and seed.
        progress: told the stages of `interpretation.study`.

    Raises:
        MemoryError: it does not fit into memory.
        Cancelled: by `progress`.
    """
    found = _explained(assessment, reader, config, progress)
    if isinstance(found, str):
        return dataclasses.replace(assessment, explanation=None, not_explained=found)
    return dataclasses.replace(assessment, explanation=found, not_explained="")


def _explained(
    assessment: Assessment, reader: TaskReader | None, config: ExplainConfig, progress: Progress
) -> StudyExplanation | str:
    features = assessment.features
    if features is None:
        return assessment.no_features or NO_HEADS
    if assessment.measures.volumes_ml["WT"] == 0:
        return NO_TUMOUR
    if reader is None:
        return NO_READER
    labels = sitk.GetArrayViewFromImage(assessment.labels)
    try:
        return explain_study(reader, assessment.prepared, features, labels, config, progress)
    except ValueError as error:  # features that do not fit, or a study too large for one pass
        return f"The network's answers could not be explained: {error}."


def native_saliency(assessment: Assessment) -> dict[Target, sitk.Image]:
    """Each map that passed its check, Float32 on the native grid of `assessment.segmentation`."""
    if assessment.explanation is None:
        return {}
    return {
        one.target: on_reference(one.saliency.image, assessment)
        for one in assessment.explanation.answers
        if one.saliency is not None
    }


def on_reference(image: sitk.Image, assessment: Assessment) -> sitk.Image:
    """An image of the common grid on the reference sequence's native grid, linearly."""
    prepared, reference = assessment.prepared, assessment.reference
    to_common = prepared.to_native[reference].GetInverse()
    return resample(image, prepared.native_grids[reference], to_common)


def explanation_notes(explanation: StudyExplanation, facts: ClinicalFacts) -> tuple[str, ...]:
    """What an explanation shows and what it does not, in sentences, the weightiest first."""
    return tuple(_notes(explanation, facts))


def _notes(explanation: StudyExplanation, facts: ClinicalFacts) -> Iterator[str]:
    if explanation.simulated_only:
        yield SIMULATED_ONLY
    yield IMPORTANCE_NOTE
    if lacking := [one.target.words for one in explanation.answers if not one.importances]:
        yield (
            f"The importance of the sequences for {', '.join(lacking)} is not known: the model "
            "pack does not tell what to say of a patient without images."
        )
    if len(explanation.sequences) == 1:
        yield ONE_SEQUENCE
    yield MAP_NOTE
    for one in explanation.answers:
        yield from _map_notes(one)
    if tissue_known(facts):
        yield TISSUE_NOTE


def _map_notes(answer: ExplainedAnswer) -> Iterator[str]:
    words, check, saliency = answer.target.words, answer.check, answer.saliency
    if check is None:
        yield f"No map for {words}: it is the same everywhere."
    elif saliency is None:
        yield (
            f"No map for {words}: it is too much like that of a network that learnt nothing (rank "
            f"correlation {check.values:.2f}, of magnitudes {check.magnitudes:.2f})."
        )
    elif abs(saliency.gap) > LARGE_GAP * abs(saliency.step):
        step = f"{saliency.step:+.2f}".replace("-", "\N{MINUS SIGN}")
        yield (
            f"The map for {words} is coarse: its sum misses the answer's step of {step} by "
            f"{abs(saliency.gap):.2f}."
        )
