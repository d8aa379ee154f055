"""JSON files beside images: what they tell recognition, and what they must not tell anybody."""

import json
from pathlib import Path
from typing import Any

import pytest
from intake_makers import SeriesRecipe, head, write_head, write_series

from gliomaai_training.findings import Severity
from GliomaAILib.intake.case import Case
from GliomaAILib.intake.errors import StudyError
from GliomaAILib.intake.sidecar import Sidecar, read_sidecar
from GliomaAILib.intake.study import read_study

DCM2NIIX: dict[str, Any] = {
    "Modality": "MR",
    "MagneticFieldStrength": 3,
    "ImagingFrequency": 123.257,
    "Manufacturer": "Siemens",
    "ManufacturersModelName": "Skyra",
    "InstitutionName": "Hospital",
    "SeriesInstanceUID": "1.3.12.2.1107.5.2.19.45152.2013030808061520200285270.0.0.0",
    "StudyInstanceUID": "1.3.12.2.1107.5.2.19.45152.30000013022723591445000000017",
    "PatientName": "Quisquam_Jane",
    "PatientID": "ID-4711-0815",
    "PatientBirthDate": "1941-12-24",
    "PatientSex": "F",
    "PatientAge": "054Y",
    "PatientWeight": 70.3,
    "BodyPartExamined": "BRAIN",
    "PatientPosition": "HFS",
    "ProcedureStepDescription": "MRI_BRAIN",
    "SoftwareVersions": "syngo_MR_E11",
    "MRAcquisitionType": "2D",
    "SeriesDescription": "t2_tirm_tra_dark-fluid",
    "ProtocolName": "t2_tirm_tra_dark-fluid",
    "ScanningSequence": "SE_IR",
    "SequenceVariant": "SK_SP_MP",
    "ScanOptions": "IR_PFP_FS",
    "SequenceName": "_tir2d1rs16_83",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "SeriesNumber": 7,
    "AcquisitionTime": "08:21:15.200000",
    "EchoTime": 0.081,
    "RepetitionTime": 9,
    "InversionTime": 2.5,
    "FlipAngle": 150,
    "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0],
    "ConversionSoftware": "dcm2niix",
    "ConversionSoftwareVersion": "v1.0.20240202",
}


def with_sidecar(folder: Path, sidecar: object, name: str = "image_7.nii.gz") -> Path:
    image = write_head(folder / name, "flair")
    text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
    (folder / f"{name.split('.')[0]}.json").write_text(text, "utf-8")
    return image


def sidecar_findings(case: Case) -> list[str]:
    return [f.message for f in case.findings if f.code == "intake.sidecar"]


@pytest.mark.parametrize("name", ["image_7.nii.gz", "image_7.nrrd", "image_7.mha"])
def test_a_sidecar_is_read_like_a_header(tmp_path: Path, name: str) -> None:
    with_sidecar(tmp_path, DCM2NIIX, name)
    case = read_study(tmp_path)
    evidence = case.sources["flair"].evidence
    assert "TE 81 ms, TR 9000 ms, TI 2500 ms: FLAIR" in evidence
    assert "named FLAIR" in evidence
    assert (case.facts.age_years, case.facts.sex) == (54, "F")
    assert sidecar_findings(case) == []


def test_the_values_have_the_units_and_forms_of_a_header(tmp_path: Path) -> None:
    header = read_sidecar(with_sidecar(tmp_path, DCM2NIIX)).header
    assert header is not None
    assert (header.echo_time_ms, header.inversion_time_ms) == (81.0, 2500.0)
    assert header.scanning_sequence == ("SE", "IR")
    assert header.image_type == ("ORIGINAL", "PRIMARY", "M", "ND", "NORM")
    assert not header.contrast_agent


@pytest.mark.parametrize(
    ("agent", "named"), [("Gadovist", True), ("NONE", False), ("", False), (None, False)]
)
def test_a_contrast_agent_is_told(tmp_path: Path, agent: str | None, named: bool) -> None:
    sidecar = {"EchoTime": 0.003, "RepetitionTime": 0.3, "ContrastBolusAgent": agent}
    header = read_sidecar(with_sidecar(tmp_path, sidecar)).header
    assert header is not None
    assert header.contrast_agent is named


def test_a_file_s_own_name_goes_before_the_scanner_s_words(tmp_path: Path) -> None:
    with_sidecar(tmp_path, {"SeriesDescription": "t1_mprage_sag"}, "t1gd.nii.gz")
    write_head(tmp_path / "t1gd.nii.gz", "t1gd")
    assert list(read_study(tmp_path).sequences) == ["t1gd"]


def test_identifiers_of_a_sidecar_are_shown_nowhere(tmp_path: Path) -> None:
    with_sidecar(tmp_path, DCM2NIIX, "Quisquam_19411224.nii.gz")
    case = read_study(tmp_path)
    shown = repr((case.sources, case.findings, case.facts))
    for identifier in ("Quisquam", "Jane", "4711", "19411224", "1941-12-24"):
        assert identifier.lower() not in shown.lower()
    assert "identifiers" not in repr(read_sidecar(tmp_path / "Quisquam_19411224.nii.gz"))


def test_a_sidecar_can_tell_that_an_image_is_none_of_the_four(tmp_path: Path) -> None:
    for wrong in (
        {"SeriesDescription": "ep2d_diff_ADC"},
        {"ImageType": ["DERIVED", "PRIMARY", "ADC"]},
        {"ScanningSequence": ["EP"], "EchoTime": 0.09},
    ):
        with_sidecar(tmp_path, wrong)
        with pytest.raises(StudyError, match=r"diffusion|echo-planar"):
            read_study(tmp_path)


def test_a_person_s_choice_goes_before_what_a_sidecar_says(tmp_path: Path) -> None:
    with_sidecar(tmp_path, {"SeriesDescription": "AX FLAIR FA 15"})  # FA reads as a diffusion map
    case = read_study(tmp_path, {"flair": "image_7.nii.gz"})
    assert case.sources["flair"].confidence == 1


@pytest.mark.parametrize(
    ("sidecar", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("[1, 2]", "no names with values"),
        ({"EchoTime": "81 ms", "RepetitionTime": 9}, "EchoTime has no value"),
        ({"EchoTime": True, "ImageType": 5}, "ImageType, EchoTime"),
        ({"SeriesDescription": ["x"]}, "SeriesDescription"),
        ({"PatientAge": "young", "InversionTime": -1}, "InversionTime, PatientAge"),
        ("x" * 1_000_001, "too large"),
    ],
)
def test_a_bad_sidecar_is_told_and_the_image_is_used(
    tmp_path: Path, sidecar: object, words: str
) -> None:
    with_sidecar(tmp_path, sidecar, "flair.nii.gz")
    case = read_study(tmp_path)
    (message,) = sidecar_findings(case)
    assert words in message
    assert "young" not in message
    assert all(f.severity is Severity.INFO for f in case.findings if f.code == "intake.sidecar")
    assert list(case.sequences) == ["flair"]


def test_without_a_sidecar_nothing_is_said(tmp_path: Path) -> None:
    assert read_sidecar(write_head(tmp_path / "flair.nii.gz", "flair")) == Sidecar()


def test_facts_of_sidecars_that_disagree_are_not_taken(tmp_path: Path) -> None:
    with_sidecar(tmp_path, {"PatientAge": 54, "PatientSex": "F"}, "flair.nii.gz")
    with_sidecar(tmp_path, {"PatientAge": 71, "PatientSex": "M"}, "t2.nii.gz")
    write_head(tmp_path / "t2.nii.gz", "t2")
    facts = read_study(tmp_path).facts
    assert (facts.age_years, facts.sex) == (None, None)


def test_an_impossible_age_in_a_dicom_header_is_left_out(tmp_path: Path) -> None:
    tags: dict[str, object] = {"PatientAge": "999Y", "PatientSex": "F"}
    write_series(tmp_path, head("flair"), SeriesRecipe("AX FLAIR", tags=tags))
    facts = read_study(tmp_path).facts
    assert (facts.age_years, facts.sex) == (None, "F")
