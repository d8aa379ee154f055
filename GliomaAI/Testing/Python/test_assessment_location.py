"""Registration to the template, lobes, ventricles and what a whole assessment says."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import PROVENANCE, template_assessment, template_study

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.atlas import register_to_icbm152
from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.assessment.assess import assess
from GliomaAILib.assessment.lobes import LOBES, lobe_numbers
from GliomaAILib.assessment.location import agree, locate, register_brain, template_midline
from GliomaAILib.assessment.measures import measure
from GliomaAILib.assessment.midline import Midline
from GliomaAILib.assessment.result_findings import result_findings
from GliomaAILib.assessment.ventricles import find_ventricles

LANDMARKS = {
    "frontal": [(30, 40, 20), (-8, 60, 0), (-40, 10, 40), (20, 30, -18)],
    "parietal": [(30, -55, 50), (-10, -55, 50), (-50, -40, 40)],
    "temporal": [(55, -20, -15), (-40, 5, -32), (28, -20, -18)],
    "occipital": [(15, -90, 5), (-30, -85, 10)],
    "insula": [(38, 2, 2), (-37, -8, 4)],
    "deep grey matter": [(12, -18, 8), (-25, 2, 2)],
    "corpus callosum": [(0, 29, 8), (2, -38, 12)],
    "cerebellum": [(25, -65, -40), (0, -60, -25)],
    "brainstem": [(0, -28, -30), (5, -25, -14)],
}
"""Points of ICBM152 (RAS mm) that no atlas would put elsewhere."""


@pytest.mark.parametrize("lobe", LOBES)
def test_landmarks_lie_in_their_lobe(lobe: str) -> None:
    points = np.array(LANDMARKS[lobe], float)
    assert [LOBES[n] for n in lobe_numbers(points)] == [lobe] * len(points)


def test_lobes_are_symmetric() -> None:
    points = np.random.default_rng(3).uniform([-70, -100, -50], [70, 70, 75], (2000, 3))
    assert (lobe_numbers(points) == lobe_numbers(points * [-1, 1, 1])).all()


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (-0.25, 0.2, 0.3), (0.1, -0.3, -0.2)]
)
def test_registration_finds_a_moved_and_stretched_template(
    angles: tuple[float, float, float],
) -> None:
    template = sitk.BinShrink(icbm152("t1"), [2, 2, 2])
    motion = sitk.AffineTransform(3)
    turn = sitk.Euler3DTransform((0, 0, 0), *angles)
    motion.SetMatrix((np.reshape(turn.GetMatrix(), (3, 3)) * [1.1, 0.95, 1.05]).ravel().tolist())
    motion.SetTranslation((6.0, -9.0, 12.0))
    padded = sitk.ConstantPad(template, (12, 12, 24), (12, 12, 24), 0.0)
    patient = sitk.Resample(padded, padded, motion, sitk.sitkLinear, 0.0)
    found = register_to_icbm152(patient, patient > 0.05)
    assert found.trusted
    ras = np.array([[0, 0, 0], [40, 30, 20], [-40, -60, 10], [20, -20, 50.0]])
    flip = np.array([-1, -1, 1.0])
    truth = [np.array(motion.TransformPoint(point.tolist())) * flip for point in ras * flip]
    error_mm = np.linalg.norm(found.to_atlas_ras(ras) - truth, axis=1)
    assert error_mm.max() < 4.0


def test_registration_of_something_else_is_not_trusted() -> None:
    grid = Grid((60, 60, 60), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    rod = np.zeros((60, 60, 60), np.float32)
    rod[5:55, 26:34, 26:34] = 1.0
    image = grid.image(rod)
    assert not register_to_icbm152(image, image > 0.5).trusted


def test_registration_of_nothing_is_refused() -> None:
    empty = sitk.Image(20, 20, 20, sitk.sitkFloat32)
    with pytest.raises(ValueError, match="empty"):
        register_to_icbm152(empty, empty > 0)


def test_location_of_a_tumour_in_the_template() -> None:
    _, prepared, prediction = template_study((32.0, 34.0, 24.0))
    registration = register_brain(prepared)
    assert registration is not None
    found = locate(prepared, prediction.labels, registration)
    assert found.lobe == "frontal"
    assert found.centre_icbm152_mm == pytest.approx((32, 34, 24), abs=3)
    assert sum(found.lobe_shares.values()) == pytest.approx(1.0)
    midline = template_midline(registration)
    assert np.asarray(midline.right) == pytest.approx([1, 0, 0], abs=0.03)


def test_ventricles_of_the_template_and_their_distance() -> None:
    _, prepared, prediction = template_study((50.0, -10.0, 10.0))
    registration = register_brain(prepared)
    assert registration is not None
    ventricles = find_ventricles(prepared, prediction.labels, registration)
    assert ventricles is not None
    ml = np.count_nonzero(sitk.GetArrayViewFromImage(ventricles)) * Grid.of(ventricles).voxel_ml
    assert 8 < ml < 40
    found = locate(prepared, prediction.labels, registration).ventricle_distance_mm
    assert found is not None
    assert found["WT"] < 15
    assert found["TC"] == pytest.approx(found["WT"] + 6, abs=4)


def test_no_ventricles_where_no_sequence_shows_fluid() -> None:
    _, prepared, prediction = template_study()
    registration = register_brain(prepared)
    assert registration is not None
    flat = {name: image * 0.0 + 100.0 for name, image in prepared.sequences.items()}
    assert (
        find_ventricles(replace(prepared, sequences=flat), prediction.labels, registration) is None
    )


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


def test_an_assessment_of_a_plain_tumour() -> None:
    found = template_assessment((32.0, 34.0, 24.0))
    assert found.measures.laterality is not None
    assert found.measures.laterality.side == "right"
    assert found.measures.location is not None
    assert codes(found.findings) == set()
    native = sitk.GetArrayFromImage(found.segmentation)
    assert (native == sitk.GetArrayFromImage(found.labels)).all()


def test_a_tumour_free_brain_is_a_legal_result() -> None:
    found = template_assessment(None)
    assert codes(found.findings) == {"assessment.no_tumour"}
    assert found.measures.volumes_ml["WT"] == 0


def test_missing_t1gd_is_said() -> None:
    _, prepared, prediction = template_study(sequences=("t1", "flair"))
    measures = measure(prediction.labels, prepared.brain_mask)
    found = codes(result_findings(prepared, prediction, measures, prediction.labels))
    assert found == {"assessment.enhancement_unseen", "assessment.no_location"}


def test_doubtful_segmentations_are_said() -> None:
    _, prepared, prediction = template_study()
    array = sitk.GetArrayFromImage(prediction.labels)

    def found(labels: np.ndarray, bits: float = 0.3) -> set[str]:
        grid = prepared.grid
        changed = replace(
            prediction,
            labels=grid.image(labels.astype(np.uint8)),
            entropy=grid.image(np.full(labels.shape, bits, np.float32)),
        )
        measures = measure(changed.labels, prepared.brain_mask)
        return codes(result_findings(prepared, changed, measures, changed.labels))

    tiny = np.zeros_like(array)
    tiny[40, 60, 60] = 2
    assert "assessment.tiny" in found(tiny)
    scattered = np.zeros_like(array)
    scattered[30:60:10, 40:80:10, 30:70:10] = 2
    scattered |= np.roll(scattered, 1, 0) | np.roll(scattered, 1, 1)
    assert "assessment.scattered" in found(scattered)
    brain = sitk.GetArrayFromImage(prepared.brain_mask)
    assert "assessment.implausible_size" in found(np.where(brain > 0, 2, 0))
    assert "assessment.uncertain" not in found(array, bits=0.8)
    assert "assessment.uncertain" in found(array, bits=1.2)
    prediction = replace(prediction, usual_entropy_bits=None)
    assert "assessment.uncertain" not in found(array, bits=1.2)
    outside = array.copy()
    outside[0, 50:55, 50:55] = 2
    assert "assessment.field_of_view" in found(outside)


def test_findings_of_all_stages_come_once_and_the_worst_first() -> None:
    case, prepared, prediction = template_study(None)
    note = Finding("intake.note", Severity.INFO, "A note.")
    warning = Finding("preprocessing.doubt", Severity.WARNING, "A doubt.")
    found = assess(
        replace(case, findings=(note, note)),
        replace(prepared, findings=(warning,)),
        prediction,
        PROVENANCE,
    ).findings
    assert [finding.code for finding in found] == [
        "preprocessing.doubt",
        "intake.note",
        "assessment.no_tumour",
    ]


def test_a_prediction_of_another_study_is_refused() -> None:
    case, prepared, prediction = template_study()
    other = replace(prediction, labels=sitk.Image(4, 4, 4, sitk.sitkUInt8))
    with pytest.raises(ValueError, match="not of one study"):
        assess(case, prepared, other, PROVENANCE)


@pytest.mark.parametrize(
    ("yaw_deg", "shift_mm", "expected"),
    [(0, 0, True), (3, 2, True), (12, 0, False), (0, 9, False)],
)
def test_a_turned_or_shifted_template_is_caught(
    yaw_deg: float, shift_mm: float, expected: bool
) -> None:
    yaw = np.radians(yaw_deg)
    template = Midline((shift_mm, 0.0, 0.0), (float(np.cos(yaw)), float(np.sin(yaw)), 0.0))
    assert agree(template, Midline((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))) is expected
