"""One simulated patient: known truth, independent options, right geometry."""

from functools import lru_cache

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.contrasts import tissue_contrasts
from gliomaai_training.simulation.patient import SimulatedPatient, simulate_patient
from gliomaai_training.vocabulary import SEQUENCES, Label

COARSE_MM = 3.0


@lru_cache(maxsize=16)
def coarse(seed: int, **options: object) -> SimulatedPatient:
    return simulate_patient(seed, SimulationConfig(spacing_mm=COARSE_MM, **options))  # type: ignore[arg-type]


def voxels(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def centre_mm(mask: np.ndarray, image: sitk.Image) -> np.ndarray:
    k, j, i = (float(v) for v in ndimage.center_of_mass(mask))
    return np.array(image.TransformContinuousIndexToPhysicalPoint((i, j, k)))


def test_patient_has_brats_geometry_all_sequences_and_three_labels() -> None:
    patient = coarse(12, who_class="GBM")
    assert tuple(patient.sequences) == SEQUENCES
    grid = SimulationConfig(spacing_mm=COARSE_MM).grid
    for image in (*patient.sequences.values(), patient.labels, patient.brain):
        assert Grid.of(image).matches(grid)
    assert set(np.unique(voxels(patient.labels))) == {0, Label.NCR, Label.ED, Label.ET}


def test_default_grid_is_the_one_of_brats_cases() -> None:
    grid = SimulationConfig().grid
    assert grid.size == (240, 240, 155)
    assert grid.spacing_mm == (1.0, 1.0, 1.0)
    assert grid.origin_mm == (0.0, -239.0, 0.0)


def test_stripped_images_are_zero_outside_the_brain_and_not_inside() -> None:
    patient = coarse(12, who_class="GBM")
    brain = voxels(patient.brain) > 0
    assert 900 < brain.sum() * COARSE_MM**3 / 1000 < 1900
    for image in patient.sequences.values():
        assert (voxels(image)[~brain] == 0).all()
        assert (voxels(image)[brain] > 0).mean() > 0.97
    assert (voxels(patient.labels)[~brain] == 0).all()


def test_same_seed_gives_the_same_patient_and_another_seed_another() -> None:
    first = coarse(12, who_class="GBM")
    again = simulate_patient(12, SimulationConfig(spacing_mm=COARSE_MM, who_class="GBM"))
    other = coarse(13, who_class="GBM")
    for name in SEQUENCES:
        np.testing.assert_array_equal(voxels(first.sequences[name]), voxels(again.sequences[name]))
    assert (voxels(first.labels) == voxels(again.labels)).all()
    assert first.outcome == again.outcome
    assert (voxels(first.labels) != voxels(other.labels)).any()


def test_options_of_the_scan_leave_tumour_and_outcome_alone() -> None:
    plain = coarse(12, who_class="GBM")
    viewed = coarse(12, who_class="GBM", thick_slices=True, separate_views=True, missing=("t1",))
    assert (voxels(plain.labels) == voxels(viewed.labels)).all()
    assert plain.outcome == viewed.outcome
    assert "t1" not in viewed.sequences


def test_contrasts_are_those_of_the_sequences() -> None:
    patient = coarse(12, who_class="GBM")
    arrays = {name: voxels(image).astype(np.float32) for name, image in patient.sequences.items()}
    table = tissue_contrasts(arrays, voxels(patient.labels))
    assert table["GM"]["t1"] < 1 < table["GM"]["t2"]
    assert table["CSF"]["t1"] < table["GM"]["t1"]
    assert table["CSF"]["t2"] > 1.5
    assert table["CSF"]["flair"] < table["GM"]["flair"]
    assert table["ET"]["t1gd"] > 1.05 > table["ET"]["t1"]
    assert table["ED"]["flair"] > 1.3
    assert table["ED"]["t1"] < 1.05


def test_enhancing_tumour_is_bright_on_t1gd_only_after_contrast() -> None:
    patient = coarse(12, who_class="GBM")
    enhancing = voxels(patient.labels) == Label.ET
    gain = voxels(patient.sequences["t1gd"])[enhancing].mean()
    gain /= voxels(patient.sequences["t1"])[enhancing].mean()
    assert gain > 1.2


def test_tumour_free_brain_has_no_label_and_no_outcome() -> None:
    patient = coarse(12, tumour_free=True)
    assert not voxels(patient.labels).any()
    assert patient.outcome is None
    assert patient.who_class is None
    assert patient.volumes_ml == {"NCR": 0.0, "ED": 0.0, "ET": 0.0}


def test_mismatch_darkens_the_core_on_flair_but_not_on_t2() -> None:
    for seed in range(40):
        patient_plan = coarse_plan(seed)
        if patient_plan > 0.6:
            break
    patient = coarse(seed, who_class="A2")
    arrays = {name: voxels(image).astype(np.float32) for name, image in patient.sequences.items()}
    table = tissue_contrasts(arrays, voxels(patient.labels))
    assert table["NCR"]["t2"] > 1.5
    assert table["NCR"]["flair"] < table["ED"]["flair"]
    assert table["NCR"]["flair"] > 0.35  # moderate: no tumour is as dark as fluid


def coarse_plan(seed: int) -> float:
    from gliomaai_training.simulation.facts import draw_plan

    return draw_plan("A2", stream(seed, "plan")).mismatch


def test_whole_head_shows_tissue_outside_the_brain_at_the_same_place() -> None:
    stripped = coarse(12, who_class="GBM")
    whole = coarse(12, who_class="GBM", whole_head=True)
    outside = voxels(whole.brain) == 0
    assert (voxels(whole.sequences["t1"])[outside] > 150).mean() > 0.15
    shift = centre_mm(voxels(whole.labels) > 0, whole.labels)
    shift -= centre_mm(voxels(stripped.labels) > 0, stripped.labels)
    assert np.abs(shift).max() < 0.1


def test_views_differ_in_grid_and_the_known_motion_brings_them_back() -> None:
    plain = coarse(12, who_class="GBM")
    viewed = coarse(12, who_class="GBM", thick_slices=True, separate_views=True)
    grids = [Grid.of(image) for image in viewed.sequences.values()]
    assert not any(a.matches(b) for n, a in enumerate(grids) for b in grids[:n])
    truth = centre_mm(voxels(plain.brain) > 0, plain.brain)
    motions = viewed.parameters["motions"]
    assert isinstance(motions, dict)
    moved = 0.0
    for name, image in viewed.sequences.items():
        matrix = np.reshape(motions[name], (4, 4))
        here = np.append(centre_mm(voxels(image) > 0, image), 1.0)
        assert np.abs((matrix @ here)[:3] - truth).max() < 2.5, name
        moved = max(moved, float(np.abs(matrix - np.eye(4)).max()))
    assert moved > 0.1
    np.testing.assert_array_equal(np.reshape(motions["t1gd"], (4, 4)), np.eye(4))


def test_thick_slices_are_thick_and_axial() -> None:
    patient = coarse(12, who_class="GBM", thick_slices=True)
    for image in patient.sequences.values():
        assert image.GetSpacing()[2] >= 3.0
        assert image.GetDirection() == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spacing_mm": 0.2}, "0.2 mm"),
        ({"who_class": "G5"}, "G5"),
        ({"missing": ("t3",)}, "t3"),
        ({"missing": SEQUENCES}, "at least one"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SimulationConfig(**options)  # type: ignore[arg-type]


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        stream(-1, "facts")


@given(st.integers(0, 2**31), st.sampled_from(["facts", "plan", "growth"]))
def test_streams_repeat_and_parts_are_independent(seed: int, part: str) -> None:
    assert stream(seed, part).random() == stream(seed, part).random()
    assert stream(seed, part).random() != stream(seed, part + "x").random()


def test_classes_are_named_with_their_grade() -> None:
    assert all(name == "GBM" or name[1] in "234" for name in WHO_STATES)
