"""Poses and what they do to points."""

import numpy as np
import pytest
import SimpleITK as sitk

from gliomaai_training.preprocessing.similarity import Pose, Similarity


@pytest.mark.parametrize("seed", range(5))
def test_a_pose_has_the_rotation_of_its_simpleitk_transform(seed: int) -> None:
    generator = np.random.default_rng(seed)
    pose = Pose(np.zeros(3), generator.uniform(-3, 3, 3), np.zeros(3))
    expected = np.reshape(pose.transform.GetMatrix(), (3, 3))
    np.testing.assert_allclose(pose.matrix, expected, atol=1e-12)


def test_moved_points_meet_the_content_that_moved_with_them() -> None:
    generator = np.random.default_rng(0)
    rough = sitk.GetImageFromArray(generator.uniform(1, 100, (24, 28, 32)).astype(np.float32))
    fixed = sitk.SmoothingRecursiveGaussian(rough, 2.0)
    fixed.SetSpacing((1.5, 2.0, 2.5))
    centre = np.array(fixed.TransformContinuousIndexToPhysicalPoint((15.5, 13.5, 11.5)))
    pose = Pose(centre, np.array([0.1, -0.2, 0.15]), np.array([2.0, -3.0, 1.0]))
    moving = sitk.Resample(fixed, fixed, pose.transform.GetInverse(), sitk.sitkLinear)
    mask = sitk.Cast(fixed > 0, sitk.sitkUInt8)
    similarity = Similarity(fixed, moving, mask, 5_000, generator)
    here = similarity(Pose(centre, np.zeros(3), np.zeros(3)))
    assert similarity(pose) > 2 * here
    assert similarity.overlap(pose) < 1.0
