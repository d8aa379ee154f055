"""A network's features beside radiomics: only what was made out of fold is taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_makers import write_data

from gliomaai_training.cli import main
from gliomaai_training.evaluation.auc import auc
from gliomaai_training.radiomics.cohort import CohortFeatures, with_further
from gliomaai_training.radiomics.further import read_further_features
from gliomaai_training.studies import grading
from gliomaai_training.studies.study import StudySettings

SMALL = replace(grading.PUBLISHED, svm_c=(1.0,), svm_gamma=(0.1,), svm_folds=2)


def table(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "deep.csv"
    file.write_text(text, "utf-8")
    return file


def test_a_table_is_read(tmp_path: Path) -> None:
    found = read_further_features(
        table(tmp_path, "patient,fold,deep_1,deep_2\na,0,.5,1\nb,3,-2,1e3\n")
    )
    assert found.prefix == "deep"
    assert found.columns.loc["b"].tolist() == [-2.0, 1000.0]
    assert found.fold.to_dict() == {"a": 0, "b": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient,deep_1\na,1\n", "no column 'fold': features count only if they were made out of"),
        ("patient,fold,deep_1\na,,1\n", "fold '' is no number of a fold"),
        ("patient,fold,deep_1\na,1.5,1\n", "fold '1.5' is no number of a fold"),
        ("patient,fold,deep_1\na,-1,1\n", "fold '-1' is no number"),
        ("patient,fold,deep_1\na,0,1\na,1,1\n", "lists patients more than once"),
        ("patient,fold,deep_1,other_1\na,0,1,2\n", "must share a prefix"),
        ("patient,fold,age\na,0,1\n", "must share a prefix"),
        ("patient,fold\na,0\n", "must share a prefix, as deep_001 and deep_002 do, not none"),
        ("patient,fold,deep_1\na,0,x\n", "a cell that is no number"),
        ("patient,fold,deep_1\na,0,inf\n", "not finite"),
        ("fold,deep_1\n0,1\n", "lacks the columns patient"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_further_features(table(tmp_path, text))


def test_features_stand_beside_a_cohorts_radiomics(tmp_path: Path) -> None:
    measured = pd.DataFrame({"case": ["1", "2"], "patient": ["a", "c"], "cohort": "x", "f": 1.0})
    found = CohortFeatures(measured, pd.DataFrame(), pd.DataFrame())
    file = table(tmp_path, "patient,fold,deep_1\na,0,5\nb,1,6\nc,1,7\n")
    joined = with_further(found, read_further_features(file)).features
    assert joined["deep_1"].tolist() == [5.0, 7.0]
    assert joined["fold"].tolist() == [0, 1]
    again = replace(found, features=joined)
    with pytest.raises(ValueError, match="both called deep_1, fold"):
        with_further(again, read_further_features(file))
    with pytest.raises(ValueError, match="no patient has deep features"):
        with_further(
            replace(found, features=measured.assign(patient="z")), read_further_features(file)
        )


def test_features_of_two_networks_are_told_apart(tmp_path: Path) -> None:
    rows = "patient,fold,deep_1\na,1,5\nb,0,6\nc,1,7\n"
    found = read_further_features(table(tmp_path, rows))
    assert not found.is_of_one_model
    mine = found.of_largest_model()
    assert mine.is_of_one_model
    assert mine.columns["deep_1"].to_dict() == {"a": 5.0, "c": 7.0}
    with pytest.raises(ValueError, match="no patient has deep features"):
        mine.of(pd.Series(["b"]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, (12, 90, 6))
    return folder


def deep(data: Path, tmp_path: Path, folds: int = 3, kept: int = 80) -> Path:
    """Features of `kept` patients: the first tells the grade, the second nothing."""
    clinical = pd.read_csv(data / "tables" / "ucsf_pdgm_clinical.csv").iloc[:kept]
    generator = np.random.default_rng(1)
    high = (clinical["grade"] == 4).to_numpy()
    columns = {
        "patient": clinical["patient"],
        "fold": np.arange(kept) % folds,
        # In spread too, which is what Levene's test asks for.
        "deep_0": 2.0 * high + generator.normal(0, np.where(high, 0.1, 0.6)),
        "deep_1": generator.normal(size=kept),
    }
    file = tmp_path / "deep.csv"
    pd.DataFrame(columns).to_csv(file, index=False)
    return file


def test_grading_is_judged_on_the_folds_of_the_network(data: Path, tmp_path: Path) -> None:
    settings = StudySettings(data, features=deep(data, tmp_path))
    graded = grading._ucsf(settings)
    assert graded.further is not None
    assert len(graded.high) == len(graded.further) == len(graded.features) == 80
    assert graded.fold.tolist() == [n % 3 for n in range(80)]
    assert grading._ucsf(replace(settings, features=None)).further is None
    # One network that saw none of them leaves the folds to the study.
    one = StudySettings(data, features=deep(data, tmp_path, folds=1))
    assert sorted(set(grading._ucsf(one).fold.tolist())) == [0, 1, 2, 3, 4]


def test_a_networks_features_join_the_published_chain(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "PUBLISHED", SMALL)
    graded = grading._ucsf(StudySettings(data, features=deep(data, tmp_path)))
    held = grading._with_further(graded)
    assert set(held) == {grading.INTEGRATED, grading.FURTHER}
    assert auc(held[grading.FURTHER].score, graded.high) > 0.9
    assert all("deep_0" in chosen for chosen in held[grading.INTEGRATED].selected)
    # A patient's score does not depend on the patient's own grade.
    other = replace(graded, high=graded.high.copy())
    other.high[4] = ~other.high[4]
    again = grading._with_further(other)[grading.FURTHER]
    same_fold = graded.fold == graded.fold[4]
    np.testing.assert_allclose(again.score[same_fold], held[grading.FURTHER].score[same_fold])
    assert not np.allclose(again.score[~same_fold], held[grading.FURTHER].score[~same_fold])


def test_studies_refuse_what_they_cannot_use(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--data", str(data), "--out", str(tmp_path / "out")]
    file = deep(data, tmp_path)
    assert main(["study", "idh", *out, "--features", str(file)]) == 1
    assert (
        "the study idh takes no --features; grading, lgg, network-real do"
        in capsys.readouterr().err
    )
    table(tmp_path, "patient,deep_1\na,1\n")
    assert main(["study", "grading", *out, "--features", str(file)]) == 1
    assert "no column 'fold'" in capsys.readouterr().err
