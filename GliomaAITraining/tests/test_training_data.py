"""Stored cases, sequence dropout, sampling and augmentation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.data.augmentation import (
    Augmentation,
    AugmentationConfig,
    faded,
    random_drift,
    thick_slices,
)
from gliomaai_training.data.batch import Targets, collate
from gliomaai_training.data.case_store import StoredCase, coarsened, load_case, store_cases
from gliomaai_training.data.dataset import SamplingConfig, TrainingDataset, TrainingPatients
from gliomaai_training.data.sequence_dropout import draw_present
from gliomaai_training.data.targets import PatientTargets, unknown_targets
from gliomaai_training.networks.global_branch import place_grid
from gliomaai_training.preprocessing.network_input import normalise


@pytest.fixture
def stored(tiny_cohort: Path, tmp_path: Path) -> list[StoredCase]:
    files = store_cases(read_manifest(tiny_cohort, "tiny"), tmp_path / "store")
    return [load_case(file) for file in files]


def dataset(cases: list[StoredCase], crop: tuple[int, int, int] | None) -> TrainingDataset:
    sampling = SamplingConfig(crop, 8, keep_all=0.5, tumour_centred=0.5, seed=3)
    patients = TrainingPatients(cases, [1.0] * len(cases))
    return TrainingDataset(patients, sampling, AugmentationConfig())


def test_storing_keeps_labels_and_scales_intensities(
    tiny_cohort: Path, stored: list[StoredCase]
) -> None:
    files = read_manifest(tiny_cohort, "tiny")[0]
    assert files.segmentation is not None
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(files.segmentation)))
    first = stored[0]
    counts = {label: int((first.labels == label).sum()) for label in (1, 2, 3)}
    # The cohort writes enhancing tumour as 4, as older public files do.
    assert counts == {label: int((truth == (4 if label == 3 else label)).sum()) for label in counts}
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(files.sequences["t2"]))).astype(float)
    kept = first.images[2][first.images[2] > 0].astype(float)
    assert np.corrcoef(np.sort(image[image > 0]), np.sort(kept))[0, 1] > 0.999


def test_a_changed_image_is_converted_anew(tiny_cohort: Path, tmp_path: Path) -> None:
    cases = read_manifest(tiny_cohort, "tiny")[:1]
    before = store_cases(cases, tmp_path / "store")
    assert store_cases(cases, tmp_path / "store") == before
    path = cases[0].sequences["t1"]
    sitk.WriteImage(sitk.ReadImage(str(path)) * 2.0 + 1.0, str(path))
    assert store_cases(cases, tmp_path / "store") != before


def test_a_case_without_segmentation_is_refused(tiny_cohort: Path, tmp_path: Path) -> None:
    cases = read_manifest(tiny_cohort, "tiny")
    assert cases[0].segmentation is not None
    cases[0].segmentation.unlink()
    with pytest.raises(ValueError, match="no segmentation"):
        store_cases(read_manifest(tiny_cohort, "tiny"), tmp_path / "store")


def test_images_of_different_size_are_refused(tiny_cohort: Path, tmp_path: Path) -> None:
    path = read_manifest(tiny_cohort, "tiny")[0].sequences["t1"]
    sitk.WriteImage(sitk.ReadImage(str(path))[2:], str(path))
    with pytest.raises(ValueError, match="t1 of case case-00 has size"):
        store_cases(read_manifest(tiny_cohort, "tiny"), tmp_path / "store")


def test_a_coarser_case_holds_block_means_and_majorities(stored: list[StoredCase]) -> None:
    generator = np.random.default_rng(0)
    block = np.ones((2, 2, 2), np.uint8)
    levels, labels = generator.integers(1, 256, (4, 3, 4, 5)), generator.integers(0, 4, (3, 4, 5))
    images = np.stack([np.kron(level, block) for level in levels]).astype(np.uint8)
    images[:, ::2, ::2, ::2] = 0  # one voxel of each block lies outside the brain
    fine = replace(stored[0], images=images, labels=np.kron(labels, block).astype(np.uint8))
    coarse = coarsened(fine, 2.0)
    assert coarse.voxel_mm == (2.0, 2.0, 2.0)
    assert np.array_equal(coarse.labels, labels)
    assert np.array_equal(coarse.images, levels)


def test_a_case_is_not_made_finer(stored: list[StoredCase]) -> None:
    with pytest.raises(ValueError, match="choose larger ones"):
        coarsened(stored[0], 0.5)


@given(
    st.lists(st.booleans(), min_size=4, max_size=4).filter(any),
    st.floats(0, 1),
    st.integers(0, 10_000),
)
def test_dropout_shows_something_and_nothing_that_is_not_there(
    available: list[bool], keep_all: float, seed: int
) -> None:
    given_ = np.array(available)
    drawn = draw_present(given_, keep_all, np.random.default_rng(seed))
    assert drawn.any()
    assert not (drawn & ~given_).any()


def test_dropout_reaches_all_fifteen_subsets() -> None:
    generator = np.random.default_rng(0)
    everything = np.ones(4, bool)
    drawn = {tuple(draw_present(everything, 0.2, generator)) for _ in range(600)}
    assert len(drawn) == 15


@pytest.mark.parametrize("crop", [(16, 16, 16), (32, 16, 16), None])
def test_samples_depend_on_seed_and_position_alone(
    stored: list[StoredCase], crop: tuple[int, int, int] | None
) -> None:
    first, second = dataset(stored, crop), dataset(stored, crop)
    _ = first[0]
    for position in (5, 2):
        a, b = first[position], second[position]
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.present, b.present)
    if crop:
        assert first[1].labels.shape[1:] == crop


def test_absent_sequences_are_zero_in_samples(stored: list[StoredCase]) -> None:
    samples = dataset(stored, (16, 16, 16))
    for position in range(12):
        sample = samples[position]
        assert not sample.images[0, ~sample.present[0]].any()


def test_a_batch_is_padded_to_its_largest(stored: list[StoredCase]) -> None:
    small, large = dataset(stored, (8, 16, 8))[0], dataset(stored, (16, 8, 16))[1]
    batch = collate([small, large])
    assert batch.images.shape == (2, 4, 16, 16, 16)
    assert batch.labels.shape == (2, 16, 16, 16)
    assert torch.equal(batch.labels[0, :8, :, :8], small.labels[0])
    assert not batch.labels[0, 8:].any()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_normalisation_is_blind_to_scale(seed: int) -> None:
    generator = np.random.default_rng(seed)
    image = generator.uniform(10, 200, (6, 7, 8)).astype(np.float32)
    brain = generator.random(image.shape) < 0.6
    normal = normalise(image, brain)
    assert np.allclose(normalise(image * 3.5, brain), normal, atol=1e-4)
    assert not normal[~brain].any()
    lower, middle, upper = np.percentile(normal[brain], (25, 50, 75))
    assert abs(middle) < 1e-4
    assert upper - lower == pytest.approx(1.349, abs=1e-3)


def test_an_outlier_does_not_set_the_scale() -> None:
    image = np.random.default_rng(0).uniform(10, 200, (20, 20, 20)).astype(np.float32)
    brain = np.ones(image.shape, bool)
    spoiled = image.copy()
    spoiled[0, 0, 0] = 1e6
    inner = (slice(1, None),) * 3
    assert np.allclose(normalise(spoiled, brain)[inner], normalise(image, brain)[inner], atol=0.02)


def test_a_tumour_leaves_healthy_tissue_as_it_is() -> None:
    generator = np.random.default_rng(2)
    image = generator.normal(500, 40, (24, 24, 24)).astype(np.float32)
    brain = np.ones(image.shape, bool)
    ill = image.copy()
    ill[:8, :16, :16] += 600  # 15 % of the brain
    healthy = np.s_[8:]
    moved = normalise(ill, brain)[healthy] - normalise(image, brain)[healthy]
    assert np.abs(moved).max() < 1.0
    assert np.median(normalise(ill, brain)[:8, :16, :16]) > 8


def test_a_drift_is_smooth_and_as_strong_as_asked() -> None:
    drift = np.log(random_drift((20, 24, 22), 0.2, np.random.default_rng(5)))
    assert drift.std() == pytest.approx(0.2, rel=1e-3)
    assert abs(drift.mean()) < 1e-3
    assert max(np.abs(np.diff(drift, axis=axis)).max() for axis in range(3)) < 0.2


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_image_normalises_to_zero(value: float) -> None:
    image = np.full((4, 4, 4), value, np.float32)
    assert not normalise(image, np.ones(image.shape, bool)).any()


STILL = AugmentationConfig(
    **{name: 0.0 for name in AugmentationConfig.model_fields if name.endswith("_probability")}
)


def patients(cases: list[StoredCase]) -> TrainingPatients:
    """With the targets of glioblastomas and astrocytomas in turns."""
    targets = {}
    for number, case in enumerate(cases):
        possible = dict(unknown_targets().possible)
        possible["idh"] = np.array([number % 2 == 0, number % 2 == 1])
        targets[case.case] = PatientTargets(possible, 10.0, event=True)
    return TrainingPatients(cases, [1.0] * len(cases), targets)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_whole_brain_beside_a_crop_shows_the_same_place(
    stored: list[StoredCase], flip: float
) -> None:
    sampling = SamplingConfig((16, 16, 16), 4, 1.0, 1.0, seed=3, whole_beside_crop=True)
    still = STILL.model_copy(update={"flip_probability": flip})
    samples = TrainingDataset(TrainingPatients(stored, [1.0] * len(stored)), sampling, still)
    for position in range(4):
        sample = samples[position]
        assert sample.whole is not None
        tumour = (sample.whole.labels > 0).float()[None]
        grid = place_grid(sample.whole.place, (16, 16, 16))
        there = functional.grid_sample(tumour, grid, align_corners=False)[0, 0] > 0.5
        here = sample.labels[0] > 0
        assert overlap(there, here) > 0.8
        assert overlap(there, here) > overlap(there.flip(-1), here)


def overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_mixed_patients_share_labels_by_volume_and_have_no_survival(
    stored: list[StoredCase],
) -> None:
    sampling = SamplingConfig(None, 4, 1.0, 1.0, seed=3, cutmix_probability=1.0)
    samples = TrainingDataset(patients(stored), sampling, STILL)
    found = [samples[position].targets for position in range(20)]
    mixed = [one for one in found if one is not None and float(one.labels["idh"].share) < 1]
    assert len(mixed) > 5
    assert all(one.months.isnan().all() and not one.event.any() for one in mixed)
    plain = [one for one in found if one is not None and float(one.labels["idh"].share) == 1]
    assert all(one.months.eq(10.0).all() for one in plain)
    batch = Targets.joined([*mixed[:2], *plain[:1]])
    assert batch.labels["idh"].first.shape == (len(batch.patients), 2)


def test_two_subsets_are_named_and_shown(stored: list[StoredCase]) -> None:
    sampling = SamplingConfig(None, 4, keep_all=0.0, tumour_centred=1.0, seed=3, two_subsets=True)
    samples = TrainingDataset(patients(stored), sampling, STILL)
    for position in range(12):
        sample = samples[position]
        assert sample.second is not None
        shown = (sample.present | sample.second)[0]
        assert not sample.images[0, ~shown].any()
        assert all(sample.images[0, number].any() for number in np.flatnonzero(shown.numpy()))


def test_cases_without_targets_are_refused(stored: list[StoredCase]) -> None:
    with pytest.raises(ValueError, match="have no targets"):
        TrainingPatients(stored, [1.0] * len(stored), {})


def test_thick_slices_blur_across_themselves_alone() -> None:
    image = torch.zeros(1, 12, 12, 12)
    image[0, 6, 6, 6] = 1.0
    blurred = thick_slices(image, axis=1, thickness_voxels=3.0)
    assert blurred.shape == image.shape
    assert blurred.sum() == pytest.approx(1.0, abs=0.05)
    assert torch.count_nonzero(blurred[0, 6, :, 6]) > 1
    assert torch.count_nonzero(blurred.sum(2)) == 1
    assert torch.equal(thick_slices(image, 0, 1.0), image)


def test_every_sequence_changes_by_itself_and_background_stays() -> None:
    images = np.zeros((4, 16, 16, 16), np.float32)
    images[:, 4:12, 4:12, 4:12] = np.random.default_rng(1).normal(1, 0.3, (8, 8, 8))
    still = AugmentationConfig(flip_probability=0, affine_probability=0)
    labels = np.zeros((16, 16, 16), np.uint8)
    changed, _ = Augmentation(still)(images, labels, np.random.default_rng(2))
    again, _ = Augmentation(still)(images, labels, np.random.default_rng(2))
    assert torch.equal(changed, again)
    assert (changed[:, torch.from_numpy(images[0] == 0)] == 0).all()
    assert not torch.equal(changed[0], changed[1])
    assert not torch.equal(changed[1], changed[2])


def test_a_faded_tumour_lies_nearer_to_the_brains_median() -> None:
    images = np.ones((4, 12, 12, 12), np.float32)
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[3:9, 3:9, 3:9] = 2
    weaker = faded(images, labels, np.array([1.0, 0.5, 0.2, 0.0]))
    np.testing.assert_allclose(weaker[:, 6, 6, 6], (1.0, 0.5, 0.2, 0.0), atol=1e-6)
    np.testing.assert_array_equal(weaker[:, 0, 0, 0], 1.0)
    assert 0.5 < weaker[1, 3, 6, 6] < 1.0
