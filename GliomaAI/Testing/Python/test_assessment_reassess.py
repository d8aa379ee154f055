"""A corrected mask: what follows from it, what stays, and what is refused."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import HOSTILE, template_assessment

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.output.document import assessment_document, document_bytes, schema


@pytest.fixture(scope="module")
def original() -> Assessment:
    return template_assessment()


def edited(original: Assessment, array: np.ndarray) -> sitk.Image:
    return Grid.of(original.segmentation).image(array.astype(np.uint8))


def test_a_mask_left_alone_changes_no_measure(original: Assessment) -> None:
    again = reassess(original, original.segmentation)
    assert again.measures == original.measures
    assert again.labels is original.labels
    assert again.correction is None
    assert again.findings == original.findings


def test_measures_and_audit_follow_the_corrected_mask(original: Assessment) -> None:
    array = sitk.GetArrayFromImage(original.segmentation)
    necrosis = int((array == 1).sum())
    array[array == 1] = 3
    after = reassess(original, edited(original, array))
    voxel_ml = Grid.of(original.segmentation).voxel_ml
    volumes_ml, before_ml = after.measures.volumes_ml, original.measures.volumes_ml
    assert volumes_ml["NCR"] == 0
    assert volumes_ml["ET"] == pytest.approx(before_ml["ET"] + necrosis * voxel_ml)
    assert volumes_ml["WT"] == before_ml["WT"]
    correction = after.correction
    assert correction is not None
    assert correction.added_voxels == {"NCR": 0, "ED": 0, "ET": necrosis}
    assert correction.removed_voxels == {"NCR": necrosis, "ED": 0, "ET": 0}
    assert correction.dice["WT"] == correction.dice["TC"] == 1.0
    assert correction.dice["ET"] < 1.0
    (finding,) = (f for f in after.findings if f.code == "assessment.corrected")
    assert f"{necrosis * voxel_ml:.1f} mL of ET added" in finding.message
    assert (sitk.GetArrayViewFromImage(after.segmentation) == array).all()


def test_doubts_about_the_network_do_not_survive_a_correction(original: Assessment) -> None:
    doubts = {"assessment.uncertain", "assessment.enhancement_unseen"}
    unsure = replace(
        original, findings=(*original.findings, *(replace(HOSTILE, code=code) for code in doubts))
    )
    array = sitk.GetArrayFromImage(original.segmentation)
    array[array == 1] = 3
    codes = {f.code for f in reassess(unsure, edited(original, array)).findings}
    assert not codes & doubts
    unchanged = {f.code for f in reassess(unsure, original.segmentation).findings}
    assert doubts <= unchanged
    others = {f.code for f in original.findings if not f.code.startswith("assessment.")}
    assert others <= codes


def test_an_erased_tumour_is_a_legal_correction(original: Assessment) -> None:
    empty = np.zeros(original.segmentation.GetSize()[::-1])
    after = reassess(original, edited(original, empty))
    assert after.measures.volumes_ml["WT"] == 0
    assert after.measures.location is None
    assert after.correction is not None
    assert after.correction.dice == {"WT": 0.0, "TC": 0.0, "ET": 0.0}


def test_a_tumour_drawn_where_none_was_found_is_located() -> None:
    nothing = template_assessment(tumour_ras_mm=None)
    drawn = template_assessment()
    after = reassess(nothing, drawn.segmentation)
    assert after.measures.volumes_ml == drawn.measures.volumes_ml
    assert after.measures.location is not None
    assert after.measures.location.lobe == "frontal"


def test_the_document_tells_of_the_correction(original: Assessment) -> None:
    array = sitk.GetArrayFromImage(original.segmentation)
    array[array == 2] = 0
    for assessment in (original, reassess(original, edited(original, array))):
        document = json.loads(document_bytes(assessment_document(assessment)))
        jsonschema.validate(document, schema())
    assert document["correction"]["removed_voxels"]["ED"] > 0


def on_thick_slices(original: Assessment) -> Assessment:
    """The same study, had its reference 6 mm slices."""
    prepared: Prepared = original.prepared
    common = prepared.grid
    thick = replace(
        common,
        size=(common.size[0], common.size[1], common.size[2] // 3),
        spacing_mm=(common.spacing_mm[0], common.spacing_mm[1], common.spacing_mm[2] * 3),
    )
    native = sitk.Resample(
        original.labels,
        thick.image(np.zeros(thick.size[::-1], np.uint8)),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
    )
    prepared = replace(prepared, native_grids={**prepared.native_grids, original.reference: thick})
    return replace(original, prepared=prepared, segmentation=native)


def test_on_thick_slices_a_small_correction_changes_nothing_elsewhere(
    original: Assessment,
) -> None:
    thick = on_thick_slices(original)
    assert reassess(thick, thick.segmentation).measures == original.measures
    array = sitk.GetArrayFromImage(thick.segmentation)
    inside = np.argwhere(array == 1)
    array[tuple(inside[len(inside) // 2])] = 0
    after = reassess(thick, edited(thick, array))
    lost_ml = original.measures.volumes_ml["WT"] - after.measures.volumes_ml["WT"]
    assert lost_ml == pytest.approx(Grid.of(thick.segmentation).voxel_ml)
    assert after.measures.volumes_ml["ED"] == original.measures.volumes_ml["ED"]


def test_wrong_masks_are_refused(original: Assessment) -> None:
    with pytest.raises(ValueError, match="belongs to this study"):
        reassess(original, sitk.Image(8, 8, 8, sitk.sitkUInt8))
    array = sitk.GetArrayFromImage(original.segmentation)
    array[0, 0, 0] = 4
    with pytest.raises(ValueError, match=r"unknown labels \[4\]"):
        reassess(original, edited(original, array))
    array[0, 0, 0] = 2
    corrected = reassess(original, edited(original, array))
    with pytest.raises(ValueError, match="not a corrected one"):
        reassess(corrected, original.segmentation)
