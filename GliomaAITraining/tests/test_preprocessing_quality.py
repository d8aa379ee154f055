"""Bad images are named, in plain words, before anything is computed from them."""

import numpy as np
import pytest
import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError, Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepare import prepare
from gliomaai_training.preprocessing.quality import (
    check_image,
    common_findings,
    coverage,
    noise_findings,
    signal_to_noise,
    thickness_findings,
)

GRID = Grid((24, 28, 22), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def ball(radius: float = 9.0) -> np.ndarray:
    places = np.argwhere(np.ones(GRID.size[::-1])) - (np.array(GRID.size[::-1]) - 1) / 2
    inside = np.linalg.norm(places, axis=1) < radius
    return inside.reshape(GRID.size[::-1])


def image(seed: int = 0, noise: float = 10.0) -> sitk.Image:
    values = np.random.default_rng(seed).normal(100.0, noise, GRID.size[::-1])
    return GRID.image((np.maximum(values, 1.0) * ball()).astype(np.float32))


def mask() -> sitk.Image:
    return GRID.image(ball().astype(np.uint8))


def codes(findings: tuple[Finding, ...]) -> set[str]:
    for finding in findings:
        assert finding.message.endswith(".")
        assert finding.action.endswith((".", "?"))
    return {finding.code.removeprefix("preparation.") for finding in findings}


def test_a_good_image_passes_unchanged() -> None:
    checked = check_image("t1", sitk.Cast(image(), sitk.sitkInt16))
    assert checked.findings == ()
    assert checked.image is not None
    assert checked.image.GetPixelID() == sitk.sitkFloat32


def test_values_that_are_no_numbers_become_0() -> None:
    array = sitk.GetArrayFromImage(image())
    array[5, 5, 5], array[6, 6, 6] = np.nan, np.inf
    checked = check_image("t2", GRID.image(array))
    assert codes(checked.findings) == {"not_finite"}
    assert checked.image is not None
    clean = sitk.GetArrayFromImage(checked.image)
    assert np.isfinite(clean).all()
    assert clean[5, 5, 5] == clean[6, 6, 6] == 0


def test_a_constant_image_is_left_out_and_alone_it_stops_the_run() -> None:
    constant = GRID.image(np.full(GRID.size[::-1], 7, np.int16))
    prepared = prepare({"t1gd": constant, "flair": image()})
    assert set(prepared.sequences) == {"flair"}
    assert prepared.reference == "flair"
    assert codes(prepared.findings) >= {"constant"}
    with pytest.raises(BlockingFindingError, match="None of the images"):
        prepare({"t1gd": constant})
    not_a_number = GRID.image(np.full(GRID.size[::-1], np.nan, np.float32))
    with pytest.raises(BlockingFindingError, match="None of the images"):
        prepare({"t2": not_a_number})


def test_a_label_map_a_clipped_and_a_normalised_image_are_named() -> None:
    generator = np.random.default_rng(1)
    labels = GRID.image(generator.integers(0, 4, GRID.size[::-1]).astype(np.uint8))
    assert codes(check_image("t1", labels).findings) == {"few_values"}
    clipped = np.minimum(sitk.GetArrayFromImage(image()), 110.0)
    assert codes(check_image("t1", GRID.image(clipped)).findings) == {"saturated"}
    normalised = generator.normal(size=GRID.size[::-1]).astype(np.float32)
    assert codes(check_image("t1", GRID.image(normalised)).findings) == {"negative"}


def test_thick_slices_are_named_with_their_distance() -> None:
    thick = image()
    thick.SetSpacing((1.0, 1.0, 6.5))
    (finding,) = thickness_findings({"t1": image(), "flair": thick})
    assert finding.sequences == ("flair",)
    assert finding.code == "preparation.thick_slices"
    assert "6.5 mm" in finding.message


def test_only_one_volume_with_one_value_a_voxel_is_taken() -> None:
    with pytest.raises(ValueError, match="t1 has 2 dimensions"):
        check_image("t1", sitk.Image(8, 8, sitk.sitkFloat32))
    with pytest.raises(ValueError, match="3 values a voxel"):
        check_image("t1", sitk.Image([8, 8, 8], sitk.sitkVectorFloat32, 3))


@pytest.mark.parametrize("ratio", [5.0, 20.0])
def test_noise_is_measured(ratio: float) -> None:
    noisy = image(noise=100.0 / ratio)
    assert signal_to_noise(noisy, mask()) == pytest.approx(ratio, rel=0.1)


def test_an_image_of_noise_is_named() -> None:
    assert codes(noise_findings("t2", image(noise=40.0), mask())) == {"noise"}
    assert noise_findings("t2", image(noise=5.0), mask()) == ()


def test_copies_are_found_and_all_the_same_stops_the_run() -> None:
    twice = {"t1": image(1), "t1gd": image(1) * 2.0, "flair": image(2)}
    findings = common_findings(twice, mask(), {})
    assert codes(findings) == {"duplicate"}
    assert [finding.sequences for finding in findings] == [("t1", "t1gd")]
    assert findings[0].severity is Severity.WARNING
    with pytest.raises(BlockingFindingError, match="are the same image"):
        prepare({name: image(1) for name in ("t1", "t1gd", "t2", "flair")})


def test_coverage_counts_brain_inside_the_field_of_view() -> None:
    still = sitk.Transform(3, sitk.sitkIdentity)
    assert coverage(mask(), still, GRID) == 1.0
    half = Grid((24, 28, 11), GRID.spacing_mm, GRID.origin_mm, GRID.direction)
    assert coverage(mask(), still, half) == pytest.approx(0.5, abs=0.01)
    up = sitk.TranslationTransform(3, (0.0, 0.0, 100.0))
    assert coverage(mask(), up, GRID) == 0.0
    assert codes(common_findings({}, mask(), {"t2": 0.5})) == {"coverage"}


def test_a_brain_cut_by_the_field_of_view_is_named() -> None:
    big = Grid((60, 60, 30), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), GRID.direction)
    places = np.argwhere(np.ones(big.size[::-1])) - (np.array((45, 59, 59)) / 2)
    inside = (np.linalg.norm(places, axis=1) < 20).reshape(big.size[::-1])
    (finding,) = common_findings({}, big.image(inside.astype(np.uint8)), {})
    assert finding.code == "preparation.brain_cut"
    assert "top" in finding.message
    assert "bottom" not in finding.message


def test_names_and_emptiness_are_refused() -> None:
    with pytest.raises(ValueError, match="swi"):
        prepare({"swi": image()})
    with pytest.raises(ValueError, match="none"):
        prepare({})
