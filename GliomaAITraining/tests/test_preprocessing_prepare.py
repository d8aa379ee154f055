"""A study of the ICBM152 brain, as scanners and hospitals would give it, on one grid."""

from collections.abc import Mapping

import numpy as np
import pytest
import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.alignment import align, misalignment_mm
from gliomaai_training.preprocessing.bias_field import BiasFieldConfig, correct_bias_field
from gliomaai_training.preprocessing.brain_mask import coarse_volume
from gliomaai_training.preprocessing.brains import Origin, find_brains, looks_stripped
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.native import labels_to_native
from gliomaai_training.preprocessing.orientation import orientation_findings, to_lps
from gliomaai_training.preprocessing.prepare import PreparationConfig, prepare
from gliomaai_training.preprocessing.registration import Side, register
from gliomaai_training.preprocessing.resampling import resample
from gliomaai_training.progress import Cancelled

SIGNALS = {  # white matter, grey matter, fluid
    "t1": (700, 500, 200),
    "t1gd": (650, 520, 180),
    "t2": (350, 500, 1000),
    "flair": (500, 620, 120),
}


@pytest.fixture(scope="module")
def brain() -> dict[str, sitk.Image]:
    """Four contrasts of one stripped brain at 2 mm, and `mask`."""
    white, grey = (sitk.BinShrink(icbm152(name), [2, 2, 2]) for name in ("wm", "gm"))
    closed = sitk.BinaryMorphologicalClosing(sitk.Cast(white + grey > 0.5, sitk.sitkUInt8), [3] * 3)
    mask = sitk.BinaryFillhole(closed)
    inside = sitk.Cast(mask, sitk.sitkFloat32)
    fluid = inside - (white + grey) * inside
    generator = np.random.default_rng(3)
    images = {"mask": mask}
    for name, (w, g, f) in SIGNALS.items():
        signal = (white * float(w) + grey * float(g) + fluid * float(f)) * inside
        noise = Grid.of(mask).image(generator.normal(0, 15, mask.GetSize()[::-1]))
        images[name] = sitk.Abs(signal + sitk.Cast(noise, sitk.sitkFloat32)) * inside
    return images


def motion(degrees: float, mm: float, seed: int) -> sitk.Euler3DTransform:
    """A movement about the brain's centre by so much on each axis, of random sign."""
    generator = np.random.default_rng(seed)
    transform = sitk.Euler3DTransform()
    transform.SetCenter((0.0, 18.0, 18.0))
    transform.SetRotation(*(np.radians(degrees) * generator.choice((-1.0, 1.0), 3)))
    transform.SetTranslation(mm * generator.choice((-1.0, 1.0), 3))
    return transform


def scanned(
    image: sitk.Image, moved: sitk.Transform, spacing_mm: tuple[float, float, float]
) -> sitk.Image:
    """What a scanner sees of the brain after `moved`, in slices of its own."""
    extent = np.array(image.GetSize()) * image.GetSpacing()
    size = np.ceil(extent / spacing_mm).astype(int).tolist()
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    origin = np.array(middle) - (np.array(size) - 1) / 2 * spacing_mm
    grid = Grid(tuple(size), spacing_mm, tuple(origin), tuple(np.eye(3).ravel()))
    return resample(image, grid, moved.GetInverse())


def errors_mm(found: sitk.Transform, true: sitk.Transform, mask: sitk.Image) -> np.ndarray:
    index = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[::997, ::-1]
    points = [mask.TransformIndexToPhysicalPoint(place.tolist()) for place in index]
    return np.array([np.subtract(found.TransformPoint(p), true.TransformPoint(p)) for p in points])


class KnownBrain:
    """Stands for the brain mask network: knows where the brain is."""

    def __init__(self, mask: sitk.Image) -> None:
        outside_mm = sitk.SignedMaurerDistanceMap(
            mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
        )
        self.inside_mm = sitk.Cast(outside_mm * -1.0, sitk.sitkFloat32)

    def logit(self, image: sitk.Image) -> sitk.Image:
        grid = coarse_volume(image)[1]
        return sitk.Clamp(resample(self.inside_mm + 50.0, grid) - 50.0, sitk.sitkFloat32, -8, 8)


@pytest.mark.parametrize(("name", "seed"), [("t1", 0), ("t2", 1)])
def test_thick_slices_of_a_moved_head_are_registered(
    brain: dict[str, sitk.Image], name: str, seed: int
) -> None:
    truth = motion(8.0, 9.0, seed)
    moving = scanned(brain[name], truth, (1.0, 1.0, 6.0))
    found = register(Side(brain["t1gd"], brain["mask"]), Side(moving, None))
    distances = np.linalg.norm(errors_mm(found.transform, truth, brain["mask"]), axis=1)
    assert np.median(distances) < 1.0
    assert distances.max() < 2.5
    assert found.similarity > found.similarity_before


def test_content_tells_whether_images_on_one_grid_are_aligned(
    brain: dict[str, sitk.Image],
) -> None:
    fixed = Side(brain["t1gd"], brain["mask"])
    assert misalignment_mm(fixed, Side(brain["t2"], None)) < 0.5
    moved = resample(brain["t2"], Grid.of(brain["t2"]), motion(0.0, 2.0, 0))
    assert misalignment_mm(fixed, Side(moved, None)) > 1.5


def test_what_does_not_fit_is_not_aligned(brain: dict[str, sitk.Image]) -> None:
    fixed = Side(brain["t1gd"], brain["mask"])
    noise = sitk.AdditiveGaussianNoise(brain["t2"] * 0, 10.0, 100.0, 1)
    alignment = align("t2", fixed, Side(noise, None))
    assert alignment.finding is not None
    assert alignment.finding.code == "preparation.registration_failed"
    assert alignment.finding.sequences == ("t2",)


def study(brain: Mapping[str, sitk.Image], *names: str) -> dict[str, sitk.Image]:
    return {name: brain[name] for name in names}


def at_1_mm(image: sitk.Image) -> sitk.Image:
    """The same voxels called 1 mm: a small brain for fast tests."""
    image = sitk.Image(image)
    image.SetSpacing((1.0, 1.0, 1.0))
    return image


def test_a_prepared_study_keeps_every_voxel(brain: dict[str, sitk.Image]) -> None:
    images = {name: sitk.Flip(at_1_mm(brain[name]), [True, False, True]) for name in SIGNALS}
    prepared = prepare(images)
    assert prepared.reference == "t1gd"
    for name, image in images.items():
        expected = to_lps(image)
        np.testing.assert_array_equal(
            sitk.GetArrayViewFromImage(prepared.sequences[name]),
            sitk.GetArrayViewFromImage(expected),
        )
        assert Grid.of(prepared.sequences[name]).matches(Grid.of(expected))
        assert prepared.native_grids[name] == Grid.of(image)
    assert "no interpolation" in prepared.steps["grid"]
    assert "already" in prepared.steps["alignment of flair"]
    assert prepared.findings == ()


def test_the_same_study_gives_the_same_bytes(brain: dict[str, sitk.Image]) -> None:
    images = study(brain, "t1gd", "flair")
    images["flair"] = scanned(images["flair"], motion(4.0, 5.0, 7), (1.5, 1.5, 5.0))
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    for count in (1, 3):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
        try:
            prepared = prepare(images)
        finally:
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        arrays = [*prepared.sequences.values(), prepared.brain_mask]
        results.append([sitk.GetArrayFromImage(image).tobytes() for image in arrays])
    assert results[0] == results[1]


def test_thick_moved_sequences_come_to_the_reference_and_labels_go_back(
    brain: dict[str, sitk.Image],
) -> None:
    truth = motion(6.0, 7.0, 5)
    images = study(brain, "t1gd", "t2")
    images["t2"] = scanned(brain["t2"], truth, (1.0, 1.0, 6.5))
    prepared = prepare(images)
    assert set(prepared.grid.spacing_mm) == {1.0}
    found = prepared.to_native["t2"]
    assert np.median(np.linalg.norm(errors_mm(found, truth, brain["mask"]), axis=1)) < 1.0
    assert {finding.code for finding in prepared.findings} == {"preparation.thick_slices"}
    native = labels_to_native(prepared.brain_mask, prepared, "t2")
    carried = sitk.GetArrayFromImage(native) > 0
    seen = sitk.GetArrayFromImage(images["t2"]) > 0
    assert 2 * (carried & seen).sum() / (carried.sum() + seen.sum()) > 0.96


def test_a_sequence_that_does_not_fit_is_left_out(brain: dict[str, sitk.Image]) -> None:
    images = study(brain, "t1gd", "t1", "flair")
    images["flair"] = sitk.Flip(brain["flair"], [False, False, True])
    images["flair"].CopyInformation(brain["flair"])
    prepared = prepare(images)
    assert set(prepared.sequences) == {"t1gd", "t1"}
    assert set(prepared.to_native) == set(prepared.native_grids) == {"t1gd", "t1"}
    failed = [f for f in prepared.findings if f.code == "preparation.registration_failed"]
    assert [finding.sequences for finding in failed] == [("flair",)]


def test_if_nothing_fits_the_reference_nothing_is_trusted(brain: dict[str, sitk.Image]) -> None:
    images = study(brain, "t1gd", "t1", "flair")
    images["t1gd"] = sitk.Flip(brain["t1gd"], [False, False, True])
    images["t1gd"].CopyInformation(brain["t1gd"])
    with pytest.raises(BlockingFindingError, match="No sequence could be aligned"):
        prepare(images)


def with_head(brain: Mapping[str, sitk.Image], name: str) -> sitk.Image:
    """The brain in a bright shell, with a background that is not 0."""
    mask = brain["mask"]
    distance = sitk.SignedMaurerDistanceMap(
        mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    shell = sitk.Cast((distance > 6) & (distance < 14), sitk.sitkFloat32)
    return brain[name] + shell * 800.0 + 5.0


def test_unstripped_images_need_the_network(brain: dict[str, sitk.Image]) -> None:
    images = {name: with_head(brain, name) for name in ("t1gd", "t2")}
    with pytest.raises(BlockingFindingError, match="not skull-stripped") as caught:
        prepare(images)
    assert caught.value.finding.code == "preparation.no_brain_mask"
    prepared = prepare(images, masker=KnownBrain(brain["mask"]))  # type: ignore[arg-type]
    mask = resample(brain["mask"], prepared.grid, None, sitk.sitkNearestNeighbor)
    found = sitk.GetArrayFromImage(prepared.brain_mask) > 0
    expected = sitk.GetArrayFromImage(mask) > 0
    assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.96
    assert "network" in prepared.steps["brain mask"]


def test_stripped_and_unstripped_sequences_mix(brain: dict[str, sitk.Image]) -> None:
    images = {"t1gd": brain["t1gd"], "t2": with_head(brain, "t2")}
    masker = KnownBrain(brain["mask"])
    brains = find_brains(images, "t1gd", "network", masker)  # type: ignore[arg-type]
    assert [brains[name].origin for name in ("t1gd", "t2")] == [Origin.OUTLINE, Origin.NETWORK]
    prepared = prepare(images, masker=masker)  # type: ignore[arg-type]
    own = resample(brain["mask"], prepared.grid, None, sitk.sitkNearestNeighbor)
    outline = sitk.GetArrayFromImage(prepared.brain_mask) > 0
    expected = sitk.GetArrayFromImage(own) > 0
    assert 2 * (outline & expected).sum() / (outline.sum() + expected.sum()) > 0.99


def test_asked_for_the_outline_it_is_taken(brain: dict[str, sitk.Image]) -> None:
    """A cut-out that fills its field of view does not look stripped, but a person may know."""
    image = at_1_mm(brain["t1"])[30:65, 35:80, 30:60]
    assert not looks_stripped(image)
    prepared = prepare({"t1": image}, PreparationConfig(brain_mask="stripped"))
    outline = sitk.GetArrayFromImage(prepared.brain_mask) > 0
    seen = sitk.GetArrayFromImage(prepared.sequences["t1"]) != 0
    assert outline[seen].all()
    assert {f.code for f in prepared.findings} == {"preparation.brain_cut"}


def test_hd_bet_that_is_not_there_is_said(
    brain: dict[str, sitk.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BlockingFindingError, match="not installed"):
        prepare({"t1": with_head(brain, "t1")}, PreparationConfig(brain_mask="hd-bet"))


def test_a_brain_on_its_head_is_noticed(brain: dict[str, sitk.Image]) -> None:
    assert orientation_findings(brain["mask"]) == ()
    flipped = sitk.Flip(brain["mask"], [False, False, True])
    (finding,) = orientation_findings(flipped)
    assert finding.code == "preparation.orientation"
    assert "upside down" in finding.message
    swapped = Grid.of(brain["mask"])
    array = sitk.GetArrayFromImage(brain["mask"]).transpose(1, 0, 2)
    turned = Grid(array.shape[::-1], swapped.spacing_mm, swapped.origin_mm, swapped.direction)
    (finding,) = orientation_findings(turned.image(np.ascontiguousarray(array)))
    assert "with other axes" in finding.message


def test_n4_takes_a_known_bias_field_away(brain: dict[str, sitk.Image]) -> None:
    k = np.linspace(-1, 1, brain["t1"].GetSize()[2], dtype=np.float32)[:, None, None]
    image = sitk.GetArrayFromImage(brain["t1"]) * np.exp(0.3 * k)
    biased = Grid.of(brain["t1"]).image(image)
    quick = BiasFieldConfig(shrink=6, iterations=(20, 20))
    corrected = correct_bias_field(biased, brain["mask"], quick)
    inside = sitk.GetArrayFromImage(brain["mask"]) > 0
    clean = sitk.GetArrayFromImage(brain["t1"])[inside]
    left = np.corrcoef(sitk.GetArrayFromImage(corrected)[inside], clean)[0, 1]
    before = np.corrcoef(sitk.GetArrayFromImage(biased)[inside], clean)[0, 1]
    assert 1 - left < 0.5 * (1 - before)
    with pytest.raises(ValueError, match="no positive intensity"):
        correct_bias_field(biased, brain["mask"] * 0)
    small = at_1_mm(biased[20:70, 20:80, 30:60])
    prepared = prepare({"t1": small}, PreparationConfig("stripped", n4=True))
    assert prepared.steps["bias field"] == "N4"
    assert prepared.sequences["t1"].GetPixelID() == sitk.sitkFloat32


def test_progress_can_cancel(brain: dict[str, sitk.Image]) -> None:
    def cancel(stage: str, fraction: float) -> None:
        if stage == "registration":
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare({"t1": at_1_mm(brain["t1"])}, progress=cancel)
