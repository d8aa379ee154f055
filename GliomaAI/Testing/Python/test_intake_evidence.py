"""How evidence is weighed, and what the voxels of a study say."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from intake_makers import SeriesRecipe, head, image_of, write_head, write_series, write_study

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.content import coarse_view, content_evidence, enhancement
from GliomaAILib.intake.errors import AmbiguousStudyError
from GliomaAILib.intake.evidence import Evidence, combine, favouring, joint
from GliomaAILib.intake.parameters import other_kind_by_parameters, parameter_evidence
from GliomaAILib.intake.study import read_study
from GliomaAILib.intake.volume import HeaderFacts

LIKELIHOODS = st.fixed_dictionaries({name: st.floats(0, 1) for name in SEQUENCES}).filter(
    lambda values: sum(values.values()) > 0.01
)


def best(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=lambda name: probabilities[name])


@given(st.lists(LIKELIHOODS, max_size=5))
def test_probabilities_sum_to_one_whatever_the_order(likelihoods: list[dict[str, float]]) -> None:
    pieces = [Evidence(values, "", "name") for values in likelihoods]
    forwards, backwards = combine(pieces), combine(reversed(pieces))
    assert sum(forwards.values()) == pytest.approx(1)
    assert forwards == pytest.approx(backwards)


@given(st.lists(LIKELIHOODS, min_size=2, max_size=4))
def test_joint_marginals_sum_to_one(likelihoods: list[dict[str, float]]) -> None:
    alone = [combine([Evidence(values, "", "name")]) for values in likelihoods]
    for one in joint(alone, [2] * len(alone)):
        assert sum(one.values()) == pytest.approx(1)


def test_a_certain_image_pushes_its_sequence_away_from_the_others() -> None:
    sure = combine([favouring("t1gd", 0.97, "", "name")])
    open_pair = {"t1": 0.48, "t1gd": 0.48, "t2": 0.02, "flair": 0.02}
    assert joint([sure, open_pair], [2, 2])[1]["t1"] > 0.75


@pytest.mark.parametrize(
    ("times", "sequence"),
    [
        ((394, 6000, 2200), "flair"),
        ((120, 9000, 2500), "flair"),
        ((95, 4500, None), "t2"),
    ],
)
def test_times_tell_t2_from_flair(times: tuple[float, float, float | None], sequence: str) -> None:
    header = HeaderFacts(
        echo_time_ms=times[0], repetition_time_ms=times[1], inversion_time_ms=times[2]
    )
    assert best(combine(parameter_evidence(header))) == sequence


def test_a_contrast_agent_makes_a_t1_a_t1gd() -> None:
    header = HeaderFacts(echo_time_ms=12, repetition_time_ms=600, contrast_agent=True)
    assert best(combine(parameter_evidence(header))) == "t1gd"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (HeaderFacts(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "localiser"),
        (HeaderFacts(image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC")), "diffusion"),
        (HeaderFacts(image_type=("ORIGINAL", "PRIMARY", "P", "ND")), "phase"),
        (HeaderFacts(scanning_sequence=("EP",)), "echo_planar"),
        (HeaderFacts(b_value=1000.0), "diffusion"),
        (HeaderFacts(echo_time_ms=15, repetition_time_ms=3000), "proton_density"),
        (HeaderFacts(echo_time_ms=60, inversion_time_ms=160), "other_contrast"),
    ],
)
def test_other_kinds_are_known_by_their_parameters(header: HeaderFacts, code: str) -> None:
    kind = other_kind_by_parameters(header)
    assert kind is not None
    assert kind.code == code


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_head_is_recognised_by_its_voxels_alone(sequence: str) -> None:
    evidence = content_evidence(coarse_view(image_of(head(sequence, seed=3))))
    assert evidence is not None
    assert best(combine([evidence])) == sequence


def test_files_without_telling_names_are_recognised(tmp_path: Path) -> None:
    hidden = {"a.nii.gz": "flair", "b.nii.gz": "t1gd", "c.nii.gz": "t2", "d.nii.gz": "t1"}
    case = read_study(write_study(tmp_path, hidden))
    assert {source.file_names[0]: name for name, source in case.sources.items()} == hidden


def test_an_image_without_a_brain_says_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 50, (5, 6, 7)).astype(np.int16)
    assert content_evidence(coarse_view(image_of(noise))) is None


@pytest.mark.parametrize("degrees", [0, 8])
def test_enhancement_is_found_after_alignment(degrees: float) -> None:
    before = image_of(head("t1"))
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0, 0, np.radians(degrees))
    turn.SetTranslation((degrees / 2, 0, 0))
    grid = image_of(np.zeros((34, 58, 50), np.int16), origin_mm=(-90.0, -100.0, -80.0))
    after = sitk.Resample(image_of(head("t1gd", seed=1)), grid, turn)
    score = enhancement(coarse_view(before), coarse_view(after))
    back = enhancement(coarse_view(after), coarse_view(before))
    assert score is not None
    assert back is not None
    assert score > 0.1
    assert back < -0.1


def test_files_without_names_are_told_apart_by_enhancement(tmp_path: Path) -> None:
    write_study(tmp_path, {"T1_a.nii.gz": "t1gd", "T1_b.nii.gz": "t1", "T2.nii.gz": "t2"})
    case = read_study(tmp_path)
    assert case.sources["t1gd"].file_names == ("T1_a.nii.gz",)
    assert case.sources["t1"].file_names == ("T1_b.nii.gz",)
    assert any("brighter" in why for why in case.sources["t1gd"].evidence)


def test_exchanged_names_are_a_question(tmp_path: Path) -> None:
    write_study(tmp_path, {"t1.nii.gz": "t1gd", "t1gd.nii.gz": "t1"})
    with pytest.raises(AmbiguousStudyError, match="names may be exchanged"):
        read_study(tmp_path)


def test_a_name_that_the_voxels_contradict_is_told(tmp_path: Path) -> None:
    write_head(tmp_path / "t1_nativ.nii.gz", "t2")
    case = read_study(tmp_path)
    assert list(case.sequences) == ["t1"]
    told = [f for f in case.findings if f.code == "intake.contradiction"]
    assert len(told) == 1
    assert "look like T2" in told[0].message


def test_a_file_that_nothing_tells_apart_is_a_question(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 900, (6, 7, 8)).astype(np.int16)
    sitk.WriteImage(image_of(noise), str(tmp_path / "a.nii.gz"))
    with pytest.raises(AmbiguousStudyError, match="unclear which sequence"):
        read_study(tmp_path)


def test_a_t1_after_contrast_is_known_from_the_header(tmp_path: Path) -> None:
    tags: dict[str, object] = {"ContrastBolusAgent": "GADOVIST", "EchoTime": 3, "RepetitionTime": 8}
    write_series(tmp_path, head("t1gd"), SeriesRecipe("AX T1", tags=tags))
    case = read_study(tmp_path)
    assert "header names a contrast agent" in case.sources["t1gd"].evidence
