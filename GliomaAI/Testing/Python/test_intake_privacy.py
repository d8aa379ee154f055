"""No identifier of a patient reaches a finding, a source, a question, an error or a log."""

import logging
from pathlib import Path

import pytest
from intake_makers import SeriesRecipe, head, write_head, write_series

from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.privacy import MASK, IdentifierMask
from GliomaAILib.intake.study import read_study

PATIENT = {
    "PatientName": "Mustermann^Erika^Anna",
    "PatientID": "PID-778812",
    "PatientBirthDate": "19580317",
    "OtherPatientNames": "Schmidt^Erika",
    "AccessionNumber": "ACC990017",
}
SECRETS = ("mustermann", "erika", "778812", "19580317", "17.03.1958", "schmidt", "acc990017")


def _plant(folder: Path, description: str, sequence: str, **tags: object) -> None:
    recipe = SeriesRecipe(f"{description} MUSTERMANN", patient=PATIENT, tags=tags)
    write_series(folder / "Mustermann_Erika", head(sequence), recipe)


def _clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text.lower()


def test_a_case_holds_no_identifier(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _plant(tmp_path, "AX FLAIR Mustermann^Erika 17.03.1958", "flair")
    _plant(tmp_path, "AX T1 ACC990017", "t1")
    _plant(tmp_path, "3-pl LOC PID-778812", "t1")
    _plant(tmp_path, "CT Schmidt", "t1", Modality="CT")
    write_head(tmp_path / "Erika_Mustermann_t2.nii.gz", "t2")
    case = read_study(tmp_path)
    assert set(case.sequences) == {"t1", "t2", "flair"}
    assert MASK in case.sources["flair"].description
    _clean(repr(case.findings))
    _clean(repr(case.sources))
    _clean(repr(case.facts))
    _clean(caplog.text)
    for image in case.sequences.values():
        assert image.GetMetaDataKeys() == ()


def test_a_question_holds_no_identifier(tmp_path: Path) -> None:
    _plant(tmp_path / "1", "AX FLAIR Erika", "flair")
    recipe = SeriesRecipe("AX FLAIR Mustermann", patient=PATIENT)
    write_series(tmp_path / "2", head("flair", seed=4), recipe)
    with pytest.raises(AmbiguousStudyError) as error:
        read_study(tmp_path)
    _clean(error.value.table() + str(error.value) + repr(error.value.candidates))


def test_an_error_holds_no_identifier(tmp_path: Path) -> None:
    _plant(tmp_path, "Kopf Erika", "t1", Modality="CT")
    with pytest.raises(StudyError) as error:
        read_study(tmp_path)
    _clean(str(error.value))


def test_a_damaged_header_is_not_quoted_in_a_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG)
    paths = write_series(tmp_path, head("flair"), SeriesRecipe("FLAIR", patient=PATIENT))
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"19580317", b"1958MU17"))
    (tmp_path / "Erika.dcm").write_bytes(paths[0].read_bytes()[:700])
    assert list(read_study(tmp_path).sequences) == ["flair"]
    _clean(caplog.text + " ".join(str(warning.message) for warning in recwarn))
    assert "1958MU17" not in caplog.text


def test_a_description_that_is_only_a_name_becomes_the_series_number(tmp_path: Path) -> None:
    tags: dict[str, object] = {"EchoTime": 90, "RepetitionTime": 5000, "SeriesNumber": 7}
    recipe = SeriesRecipe("Erika Mustermann", patient=PATIENT, tags=tags)
    write_series(tmp_path, head("t2"), recipe)
    assert read_study(tmp_path).sources["t2"].description == "series 7"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("MUSTERMANN ERIKA AX T1", "*** *** AX T1"),
        ("t1_erikamustermann_km", "t1_***_km"),
        ("Li AX", "*** AX"),
        ("axial flimmer line", "axial flimmer line"),
        ("born 17.03.1958", "born ***"),
        ("1958-03-17", "***"),
    ],
)
def test_every_form_of_an_identifier_is_masked(text: str, masked: str) -> None:
    mask = IdentifierMask(["Mustermann^Erika", "Li^X", "19580317"])
    assert mask(text) == masked


def test_a_mask_without_identifiers_changes_nothing() -> None:
    assert IdentifierMask([])("AX T1 +C") == "AX T1 +C"
