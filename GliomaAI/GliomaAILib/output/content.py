"""What a report shows, gathered once for every kind of report."""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import REGIONS, SEQUENCES, Label
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimates import Basis
from GliomaAILib.output import estimate_tables, network_tables, tables
from GliomaAILib.output import key_images as pictures
from GliomaAILib.output.explained import ExplanationCard, explanation_card
from GliomaAILib.output.surface_view import View, make_scene, render, views_of
from GliomaAILib.output.survival_chart import SurvivalChart, survival_chart

TITLE = "Brain tumour MR: segmentation and measures"

CONVENTION = (
    "Radiological convention: the patient's right is on the left. R right, L left, A anterior, "
    "P posterior. All sequences on the 1 mm grid of {reference}."
)

CAUTION = (
    "Labels are a network's estimate: check them against the images. Location and distances come "
    "from an affine fit to ICBM152 and are approximate."
)


ESTIMATE_CAUTION = (
    "Diagnosis and prognosis are estimates of statistical models for groups of patients like this "
    "one. They do not take the place of tissue, and no one's own course can be read from them."
)


@dataclass(frozen=True)
class ImageRow:
    """One plane's slice through every sequence."""

    cut: pictures.Slice
    images: tuple[tuple[str, pictures.Picture | None], ...]
    """Picture by sequence; None for a missing one."""


@dataclass(frozen=True)
class DiameterPicture:
    """The slice on which a region's diameters were measured."""

    region: str
    picture: pictures.Picture
    cut: pictures.Slice
    lines: tuple[tuple[float, float, float, float], ...]
    """x and y of both ends, in mm of the slice."""


@dataclass(frozen=True)
class UncertaintyPicture:
    """The axial key image with the network's entropy."""

    picture: pictures.Picture
    cut: pictures.Slice
    means_bits: dict[str, float]
    """Mean entropy by region and label."""


@dataclass(frozen=True)
class SurfacePicture:
    """The tumour in the brain from one side."""

    picture: pictures.Picture
    view: View


@dataclass(frozen=True)
class NetworkCard:
    """What a multi-task network says, beside the statistical models."""

    title: str
    mark: str
    rows: tuple[tuple[str, float], ...]
    states: int
    """So many of the rows are states; the others follow from them or stand alone."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ReportContent:
    """Texts, tables and pictures of one report."""

    assessment: Assessment
    study: str
    """A short mark of the input files: tells studies apart without naming anyone."""
    rows: tuple[ImageRow, ...]
    diameters: DiameterPicture | None
    uncertainty: UncertaintyPicture | None
    """None where the network's uncertainty is not known."""
    surfaces: tuple[SurfacePicture, ...]
    explanation: ExplanationCard | None
    """None where nobody asked for it."""

    @property
    def has_tumour(self) -> bool:
        """Whether there is anything to measure."""
        return self.assessment.measures.volumes_ml["WT"] > 0

    @property
    def heading(self) -> str:
        """The line under the title."""
        return tables.heading(self.assessment, self.study)

    @property
    def cards(self) -> tuple[tables.Card, ...]:
        """The figures that a reader looks for first."""
        return tables.cards(self.assessment.measures)

    @property
    def columns(self) -> tuple[tuple[tables.Table, ...], tuple[tables.Table, ...]]:
        """The tables of the two columns."""
        measures, correction = self.assessment.measures, self.assessment.correction
        means = self.uncertainty.means_bits if self.uncertainty else {}
        audit = () if correction is None else (tables.correction_table(correction),)
        return (
            (tables.volumes_table(measures, means), tables.diameters_table(measures), *audit),
            (
                tables.facts_table(self.assessment.facts),
                tables.location_table(measures),
                tables.foci_table(measures),
            ),
        )

    @property
    def probabilities(self) -> tuple[tuple[str, float], ...]:
        """Of the WHO states, and of what follows from them; empty without a diagnosis."""
        diagnosis = self.assessment.estimates.diagnosis
        return () if diagnosis is None else estimate_tables.probability_rows(diagnosis)

    @property
    def diagnosis_mark(self) -> str:
        """What the probabilities are."""
        diagnosis = self.assessment.estimates.diagnosis
        is_told = diagnosis is not None and diagnosis.basis is Basis.TISSUE
        return "from tissue" if is_told else "estimate"

    @property
    def survival(self) -> SurvivalChart | None:
        """The survival curves; None where there is none."""
        return survival_chart(self.assessment.estimates)

    @property
    def survival_table(self) -> tables.Table | None:
        """The numbers beside the curves."""
        return estimate_tables.survival_table(self.assessment.estimates)

    @property
    def estimate_tables(self) -> tuple[tables.Table, ...]:
        """What the curve is made of, what moved the risk with the nomogram's points, and which
        models spoke."""
        estimates = self.assessment.estimates
        found = []
        if estimates.prognosis is not None:
            # The one that knows most: what it does not need, the other does not either.
            richest = estimates.prognosis.estimates[-1]
            if richest.made_of:
                found.append(estimate_tables.states_table(richest))
            found.append(estimate_tables.points_table(richest))
        models = estimate_tables.models_table(estimates)
        return (*found, models) if models.rows else tuple(found)

    @property
    def diagnosis_notes(self) -> tuple[str, ...]:
        """What has to be said with the probabilities."""
        diagnosis = self.assessment.estimates.diagnosis
        return () if diagnosis is None else estimate_tables.diagnosis_notes(diagnosis)

    @property
    def imaging_adds(self) -> str:
        """What the difference between two survival curves is worth."""
        prognosis = self.assessment.estimates.prognosis
        return "" if prognosis is None else prognosis.imaging_adds

    @property
    def prognosis_notes(self) -> tuple[str, ...]:
        """What has to be said with the curves."""
        prognosis = self.assessment.estimates.prognosis
        return () if prognosis is None else estimate_tables.prognosis_notes(prognosis)

    @property
    def network(self) -> NetworkCard | None:
        """What a multi-task network says; None without one."""
        network = self.assessment.estimates.network
        if network is None:
            return None
        return NetworkCard(
            network_tables.TITLE,
            network_tables.network_mark(network),
            network_tables.network_rows(network),
            network_tables.network_states(network),
            network_tables.network_notes(network),
        )

    @property
    def not_estimated(self) -> tuple[str, ...]:
        """What is not estimated, and why."""
        absences = estimate_tables.absences(self.assessment.estimates)
        why = self.assessment.not_explained
        return (*absences, f"No explanation: {why}") if why else absences

    @property
    def sources(self) -> tables.Table:
        """Where each sequence came from."""
        return tables.sources_table(self.assessment)

    @property
    def provenance(self) -> tuple[tuple[str, str], ...]:
        """How the result came to be, by topic."""
        return tables.provenance_lines(self.assessment)

    @property
    def convention(self) -> str:
        """How to read the pictures."""
        cuts = "Cuts through the largest extent of the tumour. " if self.has_tumour else ""
        return cuts + CONVENTION.format(reference=tables.SEQUENCE_NAMES[self.assessment.reference])


def report_content(assessment: Assessment) -> ReportContent:
    """Draws all pictures of a report."""
    images = pictures.key_images(assessment.prepared, assessment.labels)
    return ReportContent(
        assessment=assessment,
        study=_study_mark(assessment),
        rows=_image_rows(assessment, images),
        diameters=_diameter_picture(assessment, images),
        uncertainty=_uncertainty(assessment, images),
        surfaces=_surfaces(assessment),
        explanation=explanation_card(assessment, images, partial(_background, assessment, images)),
    )


def _study_mark(assessment: Assessment) -> str:
    hashes = "".join(assessment.sources[name].sha256 for name in sorted(assessment.sources))
    return sha256(hashes.encode()).hexdigest()[:12]


def _image_rows(assessment: Assessment, images: pictures.KeyImages) -> tuple[ImageRow, ...]:
    prepared = assessment.prepared
    shown = {
        name: (sitk.GetArrayViewFromImage(image), pictures.window(image, prepared.brain_mask))
        for name, image in prepared.sequences.items()
    }

    def one(name: str, cut: pictures.Slice) -> pictures.Picture | None:
        if name not in shown:
            return None
        array, limits = shown[name]
        return pictures.picture(pictures.grey(images.picture(array, cut), limits))

    return tuple(
        ImageRow(cut, tuple((name, one(name, cut)) for name in SEQUENCES)) for cut in images.slices
    )


def _background(
    assessment: Assessment, images: pictures.KeyImages, cut: pictures.Slice
) -> NDArray[np.uint8]:
    reference = assessment.prepared.sequences[assessment.reference]
    limits = pictures.window(reference, assessment.prepared.brain_mask)
    array: NDArray[Any] = sitk.GetArrayViewFromImage(reference)
    return pictures.grey(images.picture(array, cut), limits)


def _uncertainty(assessment: Assessment, images: pictures.KeyImages) -> UncertaintyPicture | None:
    if assessment.entropy is None:
        return None
    cut = images.slices[0]
    entropy = sitk.GetArrayViewFromImage(assessment.entropy)
    overlay = pictures.with_entropy(
        _background(assessment, images, cut), images.picture(entropy, cut)
    )
    labels = sitk.GetArrayViewFromImage(assessment.labels)
    inside, bits = labels[labels > 0], entropy[labels > 0]
    parts = {label.name: (label,) for label in Label if label != Label.BACKGROUND}
    regions = {name: np.isin(inside, values) for name, values in {**parts, **REGIONS}.items()}
    means = {name: float(bits[part].mean()) for name, part in regions.items() if part.any()}
    return UncertaintyPicture(pictures.picture(overlay), cut, means)


def _diameter_picture(assessment: Assessment, images: pictures.KeyImages) -> DiameterPicture | None:
    region = assessment.measures.rano_region
    if region is None:
        return None
    pair = assessment.measures.diameters[region]
    grid = Grid.of(assessment.labels)
    ends = np.array([*pair.longest_ends_ras_mm, *pair.perpendicular_ends_ras_mm])
    index = (np.linalg.inv(grid.ijk_to_ras) @ np.column_stack([ends, np.ones(4)]).T)[:3].T
    corner = np.array([images.box[2].start, images.box[1].start])
    spacing = np.array(grid.spacing_mm[:2])
    x1, x2, x3, x4 = ((index[:, :2] - corner + 0.5) * spacing).tolist()
    cut = pictures.axial_slice(assessment.labels, images, round(float(index[0, 2])))
    return DiameterPicture(
        region=region,
        picture=pictures.picture(_background(assessment, images, cut)),
        cut=cut,
        lines=((*x1, *x2), (*x3, *x4)),
    )


def _surfaces(assessment: Assessment) -> tuple[SurfacePicture, ...]:
    laterality = assessment.measures.laterality
    scene = make_scene(assessment.labels, assessment.prepared.brain_mask)
    side = None if laterality is None else ("left" if laterality.left_share > 0.5 else "right")
    return tuple(
        SurfacePicture(pictures.picture(render(scene, view), enlarge=False), view)
        for view in views_of(side).values()
    )
