"""The parts of the studies of IDH, WHO state and grade, on made-up patients."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from clinical_makers import write_csv
from numpy.typing import NDArray

from gliomaai_training.diagnosis.fit_joint_model import (
    JointFitConfig,
    ModelCard,
    fit_joint_model,
)
from gliomaai_training.diagnosis.joint_model import INDETERMINATE, QUESTIONS
from gliomaai_training.diagnosis.states import WHO_STATES, label_rows, marginals
from gliomaai_training.evaluation.auc import auc
from gliomaai_training.radiomics.selection import SelectionConfig, selection_pipeline
from gliomaai_training.studies import grading
from gliomaai_training.studies.binary_scores import (
    auc_bootstrap,
    binary_row,
    calibration_figure,
    roc_figure,
    subgroup_rows,
    wilson,
)
from gliomaai_training.studies.diagnosis_scores import (
    VIOLATIONS,
    HeldOut,
    cross_fitted,
    determinate_rows,
    joint_row,
    state_rows_table,
    violations,
)
from gliomaai_training.studies.idh_external import (
    Place,
    Transported,
    _age_weights,
    _weighted_auc,
)
from gliomaai_training.studies.idh_volumes import volume_features
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.studies.tumour_tables import (
    MASK_VOXEL_MM,
    mask_measures,
    read_mask,
    ucsf_measures,
    ucsf_radiomics,
)

SETTINGS = StudySettings(Path("nowhere"), resamples=200)
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_the_bootstrapped_auc_is_the_auc() -> None:
    generator = np.random.default_rng(1)
    truth = np.arange(80) % 4 == 0
    score = np.round(generator.normal(size=80) + truth, 1)
    found = auc_bootstrap(score, truth, SETTINGS)
    assert found.estimate == pytest.approx(auc(score, truth))
    assert found.low < found.estimate < found.high


def test_resamples_of_one_class_are_left_out() -> None:
    found = auc_bootstrap(np.arange(6.0), np.arange(6) == 5, SETTINGS)
    assert found.estimate == 1.0
    assert found.low == 1.0


def test_wilsons_interval_is_scipys() -> None:
    from scipy.stats import binomtest

    low, high = wilson(np.array([0.9, 0.0]), np.array([30, 12]))
    for index, (right, count) in enumerate(((27, 30), (0, 12))):
        theirs = binomtest(right, count).proportion_ci(method="wilson")
        assert low[index] == pytest.approx(theirs.low, abs=1e-6)
        assert high[index] == pytest.approx(theirs.high, abs=1e-6)


def test_a_row_says_how_many_patients_it_rests_on() -> None:
    generator = np.random.default_rng(1)
    truth = np.arange(60) % 3 == 0
    probability = np.clip(0.3 + 0.3 * truth + generator.normal(0, 0.2, 60), 0.01, 0.99)
    row = binary_row("model", probability, truth, SETTINGS)
    assert (row["n"], row["mutant"]) == ("60", "20")
    assert row["AUC (DeLong)"].startswith(f"{auc(probability, truth):.3f} (")


def test_a_group_of_one_class_has_no_auc() -> None:
    truth = np.arange(20) < 10
    groups = {"all": np.ones(20, bool), "positives": truth}
    rows = subgroup_rows(groups, {"score": np.arange(20.0)}, truth)
    assert rows[0]["score"].startswith("0.000")
    assert rows[1] == {"patients": "positives", "n": "10", "mutant": "10", "score": ""}


def test_figures_are_drawn(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    curves = {"model": (generator.random(50), np.arange(50) % 2 == 0)}
    for draw in (roc_figure, calibration_figure):
        for suffix in (".png", ".svg"):
            file = tmp_path / f"{draw.__name__}{suffix}"
            draw(curves, file)
            assert file.stat().st_size > 1000


def held_out() -> HeldOut:
    """Four patients: GBM, O2, one of two high-grade states, any astrocytoma."""
    possible = [("GBM",), ("O2",), ("GBM", "A4"), ("A2", "A3", "A4")]
    chances = np.full((4, 6), 0.02)
    for row, column in enumerate((0, 1, 0, 2)):
        chances[row, column] = 0.9
    answers = {q: np.array([INDETERMINATE] * 4, object) for q in QUESTIONS}
    answers["idh"] = np.array(["wild-type", "mutant", INDETERMINATE, "mutant"], object)
    return HeldOut(label_rows(possible), chances, answers)


def test_only_what_is_known_of_a_patient_is_judged() -> None:
    held = held_out()
    known, mutant = held.truth("idh", "mutant")
    assert known.tolist() == [True, True, False, True]
    assert mutant[known].tolist() == [False, True, True]
    known, codeleted = held.truth("codeletion_1p19q", "co-deleted")
    assert known.all()
    assert codeleted.tolist() == [False, True, False, False]
    known, _ = held.truth("grade", "4")
    assert known.tolist() == [True, True, True, False]
    np.testing.assert_allclose(held.marginal("grade", "4"), marginals(held.chances).grade[:, 2])


def test_answers_are_counted_among_those_whose_truth_is_known() -> None:
    rows = {
        row["question"]: row
        for row in determinate_rows("m", held_out(), dict.fromkeys(QUESTIONS, 0.9))
    }
    assert rows["idh"]["answered"] == "3 of 3 (100 %)"
    assert rows["idh"]["right by answer"] == "wild-type 1/1, mutant 2/2"
    assert rows["state"]["answered"] == "0 of 2 (0 %)"
    assert rows["state"]["right"] == ""
    # GBM for the first is right, A2 for the oligodendroglioma is not.
    assert rows["state"]["right, without the rule"].startswith("50 %")


def test_a_tumour_that_may_be_none_of_the_states_is_judged_on_what_is_known_of_it() -> None:
    """IDH-wildtype of lower grade: IDH and 1p/19q are known, state and grade are not."""
    labels = label_rows([("GBM", "NEC"), ("GBM",), ("A2",)])
    chances = np.tile([0.9, 0.1, 0, 0, 0, 0], (3, 1))
    held = HeldOut(labels, chances, {q: np.array(["x"] * 3, object) for q in QUESTIONS})
    assert held.sure.tolist() == [False, True, True]
    known, mutant = held.truth("idh", "mutant")
    assert known.all()
    assert mutant.tolist() == [False, False, True]
    assert held.truth("codeletion_1p19q", "co-deleted")[0].all()
    assert held.truth("grade", "4")[0].tolist() == [False, True, True]
    rows = {
        one["question"]: one for one in determinate_rows("m", held, dict.fromkeys(QUESTIONS, 0.9))
    }
    assert rows["idh"]["right"].startswith("67 %")
    assert rows["state"]["answered"] == "2 of 2 (100 %)"
    assert rows["grade"]["right"].startswith("50 %")


def test_an_unclassified_tumour_teaches_as_any_wild_type() -> None:
    table = made_up(120, 1)
    wild_type = table["possible_states"] == "GBM"
    config = JointFitConfig(("age_years",), (1e-2,), folds=3)
    plain = fit_joint_model(table, config, ModelCard("m", ""))
    table.loc[wild_type & (table.index < 60), "possible_states"] = "GBM NEC"
    partial = fit_joint_model(table, config, ModelCard("m", ""))
    np.testing.assert_allclose(partial.coefficients, plain.coefficients, atol=1e-4)
    assert partial.states["GBM"] == int((table["possible_states"] == "GBM").sum())
    table.loc[0, "possible_states"] = "NEC"
    with pytest.raises(ValueError, match="none of the states"):
        fit_joint_model(table, config, ModelCard("m", ""))


@pytest.mark.parametrize(
    ("mutant", "codeleted", "grade_4", "broken"),
    [
        (0.9, 0.8, 0.1, ()),
        (0.1, 0.05, 0.9, ()),
        (0.6, 0.7, 0.1, (0,)),
        (0.4, 0.7, 0.1, (0, 1, 3)),
        (0.9, 0.7, 0.8, (2,)),
        (0.2, 0.1, 0.3, (3,)),
    ],
)
def test_each_contradiction_is_counted(
    mutant: float, codeleted: float, grade_4: float, broken: tuple[int, ...]
) -> None:
    found = violations(*(np.array([one]) for one in (mutant, codeleted, grade_4)))
    assert found["any"] == str(int(bool(broken)))
    assert [found[name] for name in VIOLATIONS] == [str(int(k in broken)) for k in range(4)]


def test_no_probabilities_of_the_states_contradict_themselves() -> None:
    chances = np.random.default_rng(1).dirichlet(np.full(6, 0.3), 5000)
    told = marginals(chances)
    assert violations(told.idh_mutant, told.codeleted, told.grade[:, 2])["any"] == "0"


def made_up(count: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    states = generator.choice(["GBM", "A2", "O2"], count, p=(0.6, 0.25, 0.15))
    age = np.where(states == "GBM", 62.0, 40.0) + generator.normal(0, 8, count)
    return pd.DataFrame({"cohort": "A", "possible_states": states, "age_years": age})


def test_a_patient_left_out_says_nothing_about_its_own_prediction() -> None:
    table = made_up(120, 1)
    config = JointFitConfig(("age_years",), (1e-2,), folds=3)
    held = cross_fitted(table, config, 3, seed=1)
    assert auc(held.marginal("idh", "mutant"), table["possible_states"] != "GBM") > 0.85
    other = table.copy()
    other.loc[5, "age_years"] = 20.0
    again = cross_fitted(other, config, 3, seed=1)
    changed = ~np.isclose(again.chances, held.chances, atol=1e-7).all(axis=1)
    fold_of_five = ~changed
    fold_of_five[5] = True
    # Its own fold was predicted without it; all others by models that it took part in.
    assert changed[5]
    assert 30 <= fold_of_five.sum() <= 50


def test_rows_of_a_model_hold_their_counts() -> None:
    table = made_up(120, 2)
    held = cross_fitted(table, JointFitConfig(("age_years",), (1e-2,), folds=3), 3, seed=1)
    row = joint_row("age", held, SETTINGS)
    assert (row["n"], row["state known"]) == ("120", "120")
    mutants = int((table["possible_states"] != "GBM").sum())
    assert row["AUC of IDH"].endswith(f"{mutants}/120")
    states = state_rows_table(held, SETTINGS)
    assert [one["state"] for one in states] == list(WHO_STATES)
    assert states[2]["AUC against all others"] == ""


def place(ages: list[float], idh: list[str]) -> Place:
    return Place("there", pd.DataFrame({"age_years": ages, "idh": idh}))


def test_weights_give_the_ages_of_the_other_cohort() -> None:
    home = place([30, 40, 60, 60, 70, 70], ["mutant"] * 3 + ["wild-type"] * 3)
    other = place([30, 30, 60, 70], ["mutant"] * 3 + ["wild-type"])
    weight = _age_weights(home, other)
    mutant = home.mutant
    ages = home.table["age_years"].to_numpy()
    assert np.average(ages[mutant], weights=weight[mutant]) == pytest.approx(40.0)
    assert weight[~mutant][0] == 0.0


def test_a_weighted_auc_with_equal_weights_is_the_auc() -> None:
    generator = np.random.default_rng(1)
    truth, score = np.arange(30) % 2 == 0, np.round(generator.normal(size=30), 1)
    assert _weighted_auc(score, truth, np.ones(30)) == pytest.approx(auc(score, truth))


def test_correction_for_prevalence_shifts_the_odds_and_keeps_the_order() -> None:
    there = place([30, 40, 50, 60], ["mutant", "mutant", "wild-type", "wild-type"])
    probability = np.array([0.4, 0.3, 0.2, 0.1])
    same = Transported(there, ("age_years",), probability, 0.5).corrected()
    np.testing.assert_allclose(same, probability)
    rarer = Transported(there, ("age_years",), probability, 0.2).corrected()
    assert (rarer > probability).all()
    assert (np.diff(rarer) < 0).all()


def test_the_published_interval_is_too_narrow_for_so_few_patients() -> None:
    """Hanley and McNeil's error of .958 at 58 and 35 patients is about .020."""
    low, high = (float(word) for word in grading._hanley_mcneil(0.958, 58, 35).split(" to "))
    assert 0.958 - low == pytest.approx(0.039, abs=0.002)
    assert high == pytest.approx(0.997, abs=0.002)


def write_mask(file: Path, labels: NDArray[np.uint8]) -> None:
    np.savez_compressed(file, seg=labels)


def test_masks_are_measured_in_their_true_size(tmp_path: Path) -> None:
    labels = np.zeros((128, 128, 128), np.uint8)
    labels[40:80, 60:70, 60:70] = 2
    labels[50:60, 62:68, 62:68] = 3
    labels[52:54, 64:66, 64:66] = 1
    write_mask(tmp_path / "a.npz", labels)
    measured = mask_measures(read_mask(tmp_path / "a.npz"))
    voxel_ml = float(np.prod(MASK_VOXEL_MM)) / 1000
    assert measured["wt_ml"] == pytest.approx(4000 * voxel_ml)
    assert measured["et_ml"] == pytest.approx(352 * voxel_ml)
    assert measured["ncr_ml"] == pytest.approx(8 * voxel_ml)
    assert measured["ed_ml"] == pytest.approx(3640 * voxel_ml)
    # A box of 40 voxels along x: four standard deviations of a uniform line.
    length = 4 * MASK_VOXEL_MM[0] * np.sqrt((40**2 - 1) / 12)
    assert measured["wt_major_axis_mm"] == pytest.approx(length)


def test_a_mask_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.npz holds no mask"):
        read_mask(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", other=np.zeros(3))
    with pytest.raises(ValueError, match=r"b\.npz holds no mask"):
        read_mask(tmp_path / "b.npz")


UCSF_COLUMNS = (
    "patient",
    "original_shape_VoxelVolume",
    "original_shape_MajorAxisLength",
    "original_shape_Elongation",
    "original_shape_Flatness",
    "diagnostics_Mask-original_CenterOfMass",
)


def test_published_features_are_read_without_what_is_no_feature(tmp_path: Path) -> None:
    row = dict(zip(UCSF_COLUMNS, ("P1", "12000", "40", "0.7", "0.5", "(1, 2, 3)"), strict=True))
    write_csv(tmp_path / "tables" / "ucsf_pdgm_radiomics_t1gd.csv", UCSF_COLUMNS, [row])
    assert list(ucsf_radiomics(tmp_path).columns) == list(UCSF_COLUMNS[1:-1])
    assert ucsf_measures(tmp_path).loc["P1"].to_dict() == {
        "wt_ml": 12.0,
        "wt_major_axis_mm": 40.0,
        "wt_elongation": 0.7,
        "wt_flatness": 0.5,
    }


def test_a_cell_that_is_no_number_is_refused(tmp_path: Path) -> None:
    row = dict(zip(UCSF_COLUMNS, ("P1", "large", "40", "0.7", "0.5", ""), strict=True))
    write_csv(tmp_path / "tables" / "ucsf_pdgm_radiomics_t1gd.csv", UCSF_COLUMNS, [row])
    with pytest.raises(ValueError, match="no number"):
        ucsf_radiomics(tmp_path)


@pytest.mark.skipif(
    not (DATA / "volumes" / "volumes.csv").is_file(),
    reason="the real volumes (../shared/data) are not here",
)
def test_a_resized_mask_measures_as_the_true_one() -> None:
    """What ships is learned from resized masks and used on masks of 1 mm."""
    masks = pd.read_csv(DATA / "brats20_masks" / "masks.csv", index_col="patient")
    volumes = pd.read_csv(DATA / "volumes" / "volumes.csv")
    for case, patient in volumes[["id", "patient"]].iloc[[0, 5]].to_numpy():
        labels = sitk.ReadImage(str(DATA / "volumes" / case / "seg.nii.gz"), sitk.sitkUInt8)
        true = mask_measures(labels)
        resized = mask_measures(read_mask(DATA / "brats20_masks" / f"{masks.id[patient]}.npz"))
        assert resized == pytest.approx(true, rel=0.04, abs=0.3)


def write_volume(data: Path, sequence: str) -> None:
    """One case with a cube of tumour in an image whose intensities rise along x."""
    image = sitk.GetImageFromArray(
        np.broadcast_to(np.arange(1, 31, dtype=np.float32), (30, 30, 30)).copy()
    )
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[10:20, 10:20, 10:20] = 3
    folder = data / "volumes" / "case"
    folder.mkdir(parents=True)
    sitk.WriteImage(image, str(folder / f"{sequence}.nii.gz"))
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(folder / "seg.nii.gz"))
    write_csv(data / "volumes" / "volumes.csv", ("id", "patient"), [{"id": "case", "patient": "P"}])


def test_volumes_are_measured_under_the_published_names_and_times_a_factor(tmp_path: Path) -> None:
    write_volume(tmp_path, "t1gd")
    raw = volume_features(tmp_path, 1.0)
    scaled = volume_features(tmp_path, 30.0, tmp_path / "cache")
    assert raw.loc["case", "original_firstorder_Mean"] == pytest.approx(15.5)
    assert scaled.loc["case", "original_firstorder_Mean"] == pytest.approx(465.0)
    assert raw.loc["case", "original_shape_VoxelVolume"] == pytest.approx(1000.0)
    # One bin of 25 holds all of the stored intensities, several hold the scaled ones.
    assert raw.loc["case", "original_firstorder_Entropy"] == pytest.approx(0.0, abs=1e-9)
    assert scaled.loc["case", "original_firstorder_Entropy"] > 2.0
    again = volume_features(tmp_path, 30.0, tmp_path / "cache")
    pd.testing.assert_frame_equal(again, scaled)


def test_a_volume_without_t1gd_is_refused(tmp_path: Path) -> None:
    write_volume(tmp_path, "t1")
    with pytest.raises(ValueError, match="has no T1Gd"):
        volume_features(tmp_path, 1.0)


def test_grading_says_what_was_selected_in_each_fold() -> None:
    generator = np.random.default_rng(1)
    high = np.arange(90) % 3 > 0
    features = pd.DataFrame(generator.normal(size=(90, 6)), columns=list("abcdef"))
    features["a"] += 2.0 * high
    features["b"] *= np.where(high, 3.0, 1.0)
    small = SelectionConfig(features=2, svm_c=(1.0,), svm_gamma=(0.1,), svm_folds=2)
    held = grading.cross_fitted(selection_pipeline(small), features, high, np.arange(90) // 3 % 3)
    assert len(held.selected) == 3
    assert all(1 <= len(names) <= 2 for names in held.selected)
    assert auc(held.score, high) > 0.7
