"""What a study's folder holds, and how the command refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from study_makers import made_up_part

from gliomaai_training.cli import main
from gliomaai_training.progress import Progress
from gliomaai_training.studies import command, registry
from gliomaai_training.studies.folder import hash_of, write_study, write_summary
from gliomaai_training.studies.postoperative_models import PLAIN
from gliomaai_training.studies.registry import STUDIES, find_study
from gliomaai_training.studies.study import StudyFigure, StudyResult, StudySettings, StudyTable
from gliomaai_training.survival.cox_model import read_cox_model
from gliomaai_training.survival.fit_cox import CoxPlan, fit_cox

SHADES = np.linspace(0, 255, 1200 * 300 * 3).astype(np.uint8).reshape(300, 1200, 3)


def draw(file: Path) -> None:
    if file.suffix == ".svg":
        file.write_text("<svg/>")
    else:
        Image.fromarray(SHADES).save(file)


def small_result() -> StudyResult:
    table, followed = made_up_part(120, 3)
    model = fit_cox(table, followed, CoxPlan("m", PLAIN.terms, "made up")).model
    return StudyResult(
        "Title",
        "Purpose.",
        (StudyTable("counts", "Counts", pd.DataFrame({"a": ["1|2"]}), "It reads well."),),
        (Path("in.csv"), Path("masks")),
        {"terms": PLAIN.terms, "shares": {"x": 0.5}},
        (StudyFigure("dot", "A dot", draw, True), StudyFigure("other", "Another", draw)),
        {"model": model},
        ("One limit.",),
    )


def settings(tmp_path: Path) -> StudySettings:
    data = tmp_path / "data"
    (data / "masks").mkdir(parents=True)
    (data / "in.csv").write_text("x\n1\n")
    (data / "masks" / "a.npz").write_bytes(b"a")
    return StudySettings(data, seed=4, resamples=20)


def test_a_folder_says_how_it_was_made(tmp_path: Path) -> None:
    result, chosen, out = small_result(), settings(tmp_path), tmp_path / "out"
    write_study("small", result, chosen, out)
    config = json.loads((out / "config.json").read_text())
    assert (config["study"], config["seed"], config["resamples"]) == ("small", 4, 20)
    assert config["fixed"]["terms"][0]["name"] == "age_years"
    log = json.loads((out / "log.json").read_text())
    assert log["inputs"] == {
        "in.csv": hash_of(chosen.data / "in.csv"),
        "masks": hash_of(chosen.data / "masks"),
    }
    assert log["libraries"]["numpy"] == np.__version__
    assert str(tmp_path) not in (out / "log.json").read_text()
    assert (out / "tables" / "counts.csv").is_file()
    with Image.open(out / "figures" / "dot.png") as figure:
        assert figure.size == (1200, 300)
    assert (out / "figures" / "other.svg").is_file()
    text = (out / "summary.md").read_text()
    for words in ("# Title", "It reads well.", "figures/dot.png", "- One limit.", "1\\|2"):
        assert words in text


def test_the_model_comes_back_from_the_folder(tmp_path: Path) -> None:
    result, out = small_result(), tmp_path / "out"
    write_study("small", result, settings(tmp_path), out)
    model = read_cox_model(out / "models" / "model.json")
    table, _ = made_up_part(10, 5)
    np.testing.assert_array_equal(model.risk(table), result.models["model"].risk(table))  # type: ignore[attr-defined]


def test_the_summary_keeps_only_the_figures_worth_it(tmp_path: Path) -> None:
    write_summary("small", small_result(), settings(tmp_path), tmp_path / "docs")
    (file,) = (tmp_path / "docs" / "images").iterdir()
    assert file.name == "small-dot.png"
    with Image.open(file) as figure:
        assert figure.size == (960, 240)
        assert len(figure.getcolors() or []) <= 64
    text = (tmp_path / "docs" / "small.md").read_text()
    assert "images/small-dot.png" in text
    assert "Another" not in text


def test_a_changed_input_changes_its_hash(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    before = hash_of(chosen.data / "masks")
    (chosen.data / "masks" / "a.npz").write_bytes(b"b")
    assert hash_of(chosen.data / "masks") != before


def test_a_folder_keeps_to_one_study(tmp_path: Path) -> None:
    result, chosen, out = small_result(), settings(tmp_path), tmp_path / "out"
    write_study("small", result, chosen, out)
    with pytest.raises(ValueError, match="holds the study 'small'"):
        write_study("large", result, chosen, out)


@pytest.mark.parametrize(("name", "value"), [("seed", -1), ("resamples", 1)])
def test_settings_refuse(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        StudySettings(tmp_path, **{name: value})  # type: ignore[arg-type]


def test_every_study_can_be_found() -> None:
    for name in ("postoperative", "preoperative", "controls"):
        assert name in STUDIES
        assert callable(find_study(name))
    with pytest.raises(ValueError, match="there is no study 'other'; there are postoperative"):
        find_study("other")


def test_the_command_runs_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[StudySettings] = []

    def study(chosen: StudySettings, progress: Progress) -> StudyResult:
        seen.append(chosen)
        progress("half", 0.5)
        return small_result()

    monkeypatch.setattr(registry, "find_study", lambda name: study)
    data = settings(tmp_path).data
    words = ["study", "postoperative", "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*words, "--seed", "7", "--results", str(tmp_path / "docs")]) == 0
    assert (seen[0].seed, seen[0].resamples) == (7, 1000)
    assert (tmp_path / "docs" / "postoperative.md").is_file()
    assert capsys.readouterr().out.strip().endswith("summary.md")


def test_the_command_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in STUDIES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs its NAME"),
        (["nothing", "--data", ".", "--out", "out"], "there is no study 'nothing'"),
        (["postoperative", "--data", "absent", "--out", "out"], "there is no folder absent"),
    ],
)
def test_the_command_refuses(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", *words]) == 1
    assert message in capsys.readouterr().err
    assert command.__doc__


def test_without_the_extra_a_study_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="lifelines")

    monkeypatch.setattr("gliomaai_training.studies.registry.find_study", absent)
    arguments = ["study", "controls", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "pip install 'gliomaai-training[studies]'" in capsys.readouterr().err
