"""`report.html`: an assessment for readers, in one self-contained file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Severity
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import NOTICE, REGIONS, SEQUENCES, Label
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.diameters import Diameters
from GliomaAILib.output import key_images as pictures
from GliomaAILib.output.colours import LABEL_COLOURS, LABEL_WORDS, SEVERITY_COLOURS
from GliomaAILib.output.surface_view import make_scene, render, views_of

if TYPE_CHECKING:
    from jinja2 import Template

SEQUENCE_NAMES: Mapping[str, str] = {"t1": "T1", "t1gd": "T1 + Gd", "t2": "T2", "flair": "FLAIR"}

REGION_WORDS: Mapping[str, str] = {
    "WT": "Whole tumour",
    "TC": "Tumour core",
    "ET": "Enhancing tumour",
}

SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.BLOCKING: "Blocking",
    Severity.WARNING: "Warning",
    Severity.INFO: "Note",
}

SEVERITY_SIGNS: Mapping[Severity, str] = {
    Severity.BLOCKING: "✕",
    Severity.WARNING: "!",
    Severity.INFO: "i",
}


@dataclass(frozen=True)
class DiameterPicture:
    """The slice on which a region's diameters were measured, with both lines in mm."""

    region: str
    uri: str
    width: float
    height: float
    outlines: tuple[pictures.Outline, ...]
    lines: tuple[tuple[float, float, float, float], ...]


def report_html(assessment: Assessment) -> str:
    """The report; everything that came from outside is escaped."""
    images = pictures.key_images(assessment.prepared, assessment.labels)
    return _template().render(
        assessment=assessment,
        measures=assessment.measures,
        provenance=assessment.provenance,
        notice=NOTICE,
        study=_study_mark(assessment),
        images=_image_rows(assessment, images),
        slices=images.slices,
        scale_bar_mm=pictures.SCALE_BAR_MM,
        uncertainty=_uncertainty(assessment, images),
        diameter_picture=_diameter_picture(assessment, images),
        scene=_scene(assessment),
        words=_WORDS,
    )


_WORDS: Mapping[str, Any] = {
    "sequences": {name: SEQUENCE_NAMES[name] for name in SEQUENCES},
    "regions": REGION_WORDS,
    "labels": {label.name: LABEL_WORDS[label] for label in LABEL_WORDS},
    "label_colours": {label.name: LABEL_COLOURS[label] for label in LABEL_COLOURS},
    "severities": {str(severity): word for severity, word in SEVERITY_WORDS.items()},
    "severity_signs": {str(severity): sign for severity, sign in SEVERITY_SIGNS.items()},
    "severity_colours": {str(severity): one for severity, one in SEVERITY_COLOURS.items()},
    "entropy_gradient": pictures.entropy_gradient(),
    "entropy_scale_bits": pictures.ENTROPY_SCALE_BITS,
}


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("GliomaAILib.output"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _study_mark(assessment: Assessment) -> str:
    """A short mark of the input files: tells studies apart without naming anyone."""
    from hashlib import sha256

    hashes = "".join(assessment.sources[name].sha256 for name in sorted(assessment.sources))
    return sha256(hashes.encode()).hexdigest()[:12]


def _image_rows(
    assessment: Assessment, images: pictures.KeyImages
) -> list[tuple[pictures.Slice, list[tuple[str, str | None]]]]:
    """For each plane the picture of each sequence, None for a missing one."""
    prepared = assessment.prepared
    shown = {
        name: (
            sitk.GetArrayViewFromImage(image),
            pictures.window(image, prepared.brain_mask),
        )
        for name, image in prepared.sequences.items()
    }
    rows = []
    for cut in images.slices:
        row: list[tuple[str, str | None]] = []
        for name in SEQUENCES:
            uri = None
            if name in shown:
                array, limits = shown[name]
                uri = pictures.data_uri(pictures.grey(images.picture(array, cut), limits))
            row.append((name, uri))
        rows.append((cut, row))
    return rows


def _background(assessment: Assessment, images: pictures.KeyImages, cut: pictures.Slice) -> Any:
    reference = assessment.prepared.sequences[assessment.reference]
    limits = pictures.window(reference, assessment.prepared.brain_mask)
    array = sitk.GetArrayViewFromImage(reference)
    return pictures.grey(images.picture(array, cut), limits)


def _uncertainty(assessment: Assessment, images: pictures.KeyImages) -> Mapping[str, Any]:
    """The axial key image with entropy, and the mean entropy by region in bits."""
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
    return {"uri": pictures.data_uri(overlay), "cut": cut, "means_bits": means}


def _diameter_picture(assessment: Assessment, images: pictures.KeyImages) -> DiameterPicture | None:
    region = assessment.measures.rano_region
    if region is None:
        return None
    pair: Diameters = assessment.measures.diameters[region]
    grid = Grid.of(assessment.labels)
    ends = np.array([*pair.longest_ends_ras_mm, *pair.perpendicular_ends_ras_mm])
    index = (np.linalg.inv(grid.ijk_to_ras) @ np.column_stack([ends, np.ones(4)]).T)[:3].T
    corner = np.array([images.box[2].start, images.box[1].start])
    spacing = np.array(grid.spacing_mm[:2])
    x1, x2, x3, x4 = ((index[:, :2] - corner + 0.5) * spacing).tolist()
    cut = pictures.axial_slice(assessment.labels, images, round(float(index[0, 2])))
    return DiameterPicture(
        region=region,
        uri=pictures.data_uri(_background(assessment, images, cut)),
        width=cut.width,
        height=cut.height,
        outlines=cut.outlines,
        lines=((*x1, *x2), (*x3, *x4)),
    )


def _scene(assessment: Assessment) -> list[Mapping[str, Any]]:
    laterality = assessment.measures.laterality
    scene = make_scene(assessment.labels, assessment.prepared.brain_mask)
    side = None if laterality is None else ("left" if laterality.left_share > 0.5 else "right")
    return [
        {"view": view, "uri": pictures.data_uri(render(scene, view), enlarge=False)}
        for view in views_of(side).values()
    ]
