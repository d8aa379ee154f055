"""The command line by itself: help, version, usage errors, model packs. No study is read here."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from gliomaai_training.cli import COMMANDS
from gliomaai_training.cli import main as train
from gliomaai_training.inference.model_pack import ModelPackError, load_model_pack
from gliomaai_training.vocabulary import NOTICE, SEQUENCES
from GliomaAILib import __version__, cli, models
from GliomaAILib.cli import ExitCode, main
from GliomaAILib.models import MODELS_VARIABLE, find_model_pack, pack_folders
from GliomaAILib.terminal import StageDisplay, timing_table


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["--version"], ["analyze", "--help"], ["models", "--help"]):
        with pytest.raises(SystemExit) as exit_:
            main(words)
        assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert f"gliomaai {__version__}" in shown
    assert " ".join(NOTICE.split()) in " ".join(shown.split())
    for name in SEQUENCES:
        assert f"--{name} PATH" in shown
    assert "exit codes" in shown


ANALYZE = ("analyze", "study", "--out", "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "COMMAND"),
        (["analyse", "x"], "invalid choice: 'analyse'"),
        (["analyze", "study"], "--out"),
        (["analyze", "--out", "out"], "STUDY"),
        (["analyze", "study", "--out", "out", "--sharpen"], "unrecognized arguments: --sharpen"),
        (["analyze", "study", "--out", "out", "--fla", "x"], "unrecognized arguments: --fla"),
        (["analyze", "study", "--out", "out", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["analyze", "study", "--out", "out", "--engine", "x"], "invalid choice: 'x'"),
        (["analyze", "study", "--out", "out", "-q", "-v"], "not allowed with"),
        ([*ANALYZE, "--age", "-3"], "'-3' is no age"),
        ([*ANALYZE, "--age", "nan"], "'nan' is no age"),
        ([*ANALYZE, "--sex", "X"], "--sex"),
        ([*ANALYZE, "--kps", "55"], "--kps"),
        ([*ANALYZE, "--resection", "all"], "gross total"),
        ([*ANALYZE, "--grade", "1"], "--grade"),
        ([*ANALYZE, "--idh", "wild-type", "--1p19q", "co-deleted"], "no WHO 2021 state"),
        ([*ANALYZE, "--table", "t.csv"], "--table and --case go together"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == ExitCode.CHOICE
    assert message in capsys.readouterr().err


def test_the_choice_of_brain_masks_is_preprocessing_s() -> None:
    from gliomaai_training.preprocessing.brains import BrainMaskSource

    assert get_args(BrainMaskSource) == cli.BRAIN_MASKS


def test_the_help_names_every_exit_code() -> None:
    for code in ExitCode:
        assert f"{code.value} " in cli.EXIT_CODES


@pytest.fixture
def pack(packs: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pack that a test may damage."""
    return Path(shutil.copytree(packs / "segmentation", tmp_path / "models" / "segmentation"))


def test_a_pack_is_searched_in_order(
    pack: Path, packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))
    assert find_model_pack("segmentation") == packs / "segmentation"
    assert find_model_pack("segmentation", pack) == pack
    assert find_model_pack("segmentation", pack.parent) == pack
    monkeypatch.delenv(MODELS_VARIABLE)
    monkeypatch.setattr(models, "__file__", str(tmp_path / "GliomaAILib" / "models.py"))
    monkeypatch.chdir(tmp_path)
    shipped = tmp_path / "GliomaAILib" / "Resources" / "Models"
    assert shipped in pack_folders()
    shutil.move(pack.parent, shipped)
    assert find_model_pack("segmentation") == shipped / "segmentation"


def test_a_named_pack_is_never_replaced_by_another(
    packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))
    with pytest.raises(ModelPackError, match=r"manifest\.json"):
        find_model_pack("segmentation", tmp_path)


def test_a_missing_pack_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    with pytest.raises(ModelPackError, match=MODELS_VARIABLE):
        find_model_pack("no-such-pack")


def test_models_lists_and_verifies(
    pack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(pack.parent))
    main(["models"])
    shown = capsys.readouterr()
    (line,) = (line for line in shown.out.splitlines() if line.startswith("segmentation "))
    assert load_model_pack(pack).sha256[:16] in line
    assert "verified" in line

    weights = pack / "models" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert main(["models"]) == ExitCode.ERROR
    assert "model.safetensors is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda pack: (pack / "LICENSE").write_text("new"), "does not list"),
        (lambda pack: (pack / "models" / "model.safetensors").unlink(), "lacks"),
        (lambda pack: (pack / "manifest.json").write_text("{"), "cannot be read"),
        (lambda pack: (pack / "manifest.json").unlink(), "no model pack"),
        (lambda pack: (pack / "configs" / "metadata.json").write_text("{}"), "damaged"),
    ],
)
def test_a_damaged_pack_stops_the_run_before_the_study_is_read(
    harm: Callable[[Path], object],
    message: str,
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harm(pack)
    out = tmp_path / "out"
    words = ["analyze", str(tmp_path / "no-such-study"), "--out", str(out), "--model", str(pack)]
    assert main(words) == ExitCode.ERROR
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_the_display_names_each_stage_once(capsys: pytest.CaptureFixture[str]) -> None:
    with StageDisplay() as display:
        for stage in ("reading", "network"):
            for fraction in (0.0, 0.5, 1.0):
                display(stage, fraction)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["reading", "network"]


def test_a_stage_that_failed_is_not_shown_as_done(capsys: pytest.CaptureFixture[str]) -> None:
    display = StageDisplay()
    display("reading", 0.5)
    display.__exit__(ValueError, ValueError(), None)
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with StageDisplay() as display:
        display("reading", 0.25)
        display("reading", 1.0)
    assert "reading" in (shown := capsys.readouterr().err)
    assert "100 %" in shown


def test_the_timing_table_sums_up() -> None:
    table = timing_table({"intake": 1.25, "inference": 2.5})
    assert table.splitlines()[-1].split() == ["total", "3.8", "s"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_training_command_explains_itself(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        train([command, "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert f"gliomaai-train {command}" in shown
    assert "--debug" in shown


@pytest.mark.parametrize("words", [[], ["segment"], ["--sharpen"]])
def test_a_wrong_training_command_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        train(words)
    assert exit_.value.code == ExitCode.CHOICE
