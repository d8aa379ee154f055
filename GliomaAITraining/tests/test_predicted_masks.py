"""Held-out masks as files: on the patients' own grids, and with a list that says whose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cohort_makers import write_cohort

from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.data.case_store import convert_case
from gliomaai_training.evaluation.predicted_masks import (
    ENDING,
    LIST,
    mask_on_own_grid,
    read_list,
    write_list,
    write_mask,
)


@pytest.fixture
def cases(tmp_path: Path) -> list[CaseFiles]:
    return read_manifest(write_cohort(tmp_path / "data", ["p1", "p2", "p3"]), "made")


def turned(case: CaseFiles, orientation: str) -> None:
    """The case's files with other axes, a shifted origin and voxels that are no cubes."""
    for file in (*case.sequences.values(), Path(str(case.segmentation))):
        image = sitk.ReadImage(str(file))
        image.SetSpacing((1.0, 1.5, 2.0))
        image.SetOrigin((7.0, -3.0, 11.0))
        sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(file))


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR"])
def test_a_crop_s_labels_come_back_onto_the_own_grid(
    cases: list[CaseFiles], orientation: str
) -> None:
    turned(cases[0], orientation)
    expert = sitk.ReadImage(str(cases[0].segmentation))
    drawn = mask_on_own_grid(cases[0], convert_case(cases[0]).labels)
    assert drawn.GetSize() == expert.GetSize()
    assert drawn.GetOrigin() == pytest.approx(expert.GetOrigin())
    assert drawn.GetDirection() == pytest.approx(expert.GetDirection())
    truth = sitk.GetArrayFromImage(expert)
    truth[truth == 4] = 3
    assert truth.any()
    assert (sitk.GetArrayFromImage(drawn) == truth).all()


def test_labels_of_another_brain_are_refused(cases: list[CaseFiles]) -> None:
    labels = convert_case(cases[0]).labels
    with pytest.raises(ValueError, match="case-00: labels of shape"):
        mask_on_own_grid(cases[0], labels[1:])
    with pytest.raises(ValueError, match="no segmentation"):
        mask_on_own_grid(replace(cases[0], segmentation=None), labels)


def test_the_list_says_whose_they_are(cases: list[CaseFiles], tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    for case in cases[:2]:
        write_mask(case, np.minimum(convert_case(case).labels, 2), folder)
    write_list([(case, number) for number, case in enumerate(cases)], folder)
    found = read_list(folder)
    # The third case has no mask.
    assert [(one.case, one.patient, one.fold) for one in found] == [
        ("case-00", "p1", 0),
        ("case-01", "p2", 1),
    ]
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(found[0].file))).max() == 2


def test_a_folder_that_cannot_be_trusted_is_refused(cases: list[CaseFiles], tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    with pytest.raises(ValueError, match=r"evaluate RUNS --masks DIR"):
        read_list(folder)
    for case in cases:
        write_mask(case, convert_case(case).labels, folder)
    write_list([(cases[0], 0), (cases[0], 1)], folder)
    with pytest.raises(ValueError, match="twice"):
        read_list(folder)
    write_list([(case, 0) for case in cases], folder)
    (folder / f"case-02{ENDING}").unlink()
    with pytest.raises(ValueError, match="lacks the masks of case-02"):
        read_list(folder)
    (folder / LIST).write_text("id,patient\ncase-00,p1\n")
    with pytest.raises(ValueError, match="fold"):
        read_list(folder)
