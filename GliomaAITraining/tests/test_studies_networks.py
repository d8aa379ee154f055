"""The comparison of networks in miniature: trained, judged, told, and not made twice."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from cohort_makers import write_clinical_cohort

from gliomaai_training.cli import main
from gliomaai_training.studies.networks_config import read_networks

CONFIGS = Path(__file__).parents[1] / "configs"
SMALL = {
    "branch_width": 4,
    "widths": [8, 8, 8],
    "encoder_blocks": [0, 0, 1],
    "decoder_blocks": [0, 0],
    "transformer_layers": 0,
}
RECIPE: dict[str, Any] = {
    "name": "whole",
    "network": {
        "architecture": "multitask",
        "segmentation": SMALL,
        "tasks": ["state", "risk"],
        "hidden_width": 4,
    },
    "voxel_mm": 1.0,
    "cohorts": [{"name": "tiny", "table": "cohort.csv", "clinical": "simulated"}],
    "folds": 2,
    "validation_patients": 6,
    "validate_every_steps": 100,
    "stages": [
        {"name": "multitask", "objective": {"kind": "multitask"}, "phases": [{"steps": 2}]},
    ],
}
LIST: dict[str, Any] = {
    "table": "cohort/cohort.csv",
    "reference": "whole",
    "rows": [
        {"name": "whole", "recipe": "whole.yaml", "subsets": True},
        {
            "name": "heads of their own",
            "recipe": "whole.yaml",
            "seeds": [1, 2],
            "changes": {"network.tasks": ["idh", "codeletion_1p19q"]},
        },
        {
            "name": "no segmentation",
            "recipe": "whole.yaml",
            "changes": {"stages.multitask.objective.segmentation": False},
        },
    ],
    "adaptations": [["whole", "whole"]],
    "calibrated": ["whole"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    write_clinical_cohort(folder / "cohort", 42)
    (folder / "whole.yaml").write_text(yaml.safe_dump(RECIPE))
    (folder / "list.yaml").write_text(yaml.safe_dump(LIST))
    return folder


def compare(folder: Path) -> int:
    words = ["--data", folder, "--networks", folder / "list.yaml", "--out", folder / "out"]
    options = ["--results", folder / "results", "--resamples", "20"]
    return main(["study", "networks", *map(str, [*words, *options])])


@pytest.fixture(scope="module")
def compared(folder: Path) -> Path:
    assert compare(folder) == 0
    return folder / "out"


def test_every_row_is_told(compared: Path) -> None:
    table = pd.read_csv(compared / "tables" / "comparison.csv")
    assert table["configuration"].tolist() == [row["name"] for row in LIST["rows"]]
    numbers = pd.read_csv(compared / "tables" / "numbers.csv")
    told = numbers[numbers["estimate"].notna()]
    assert set(told.loc[told["metric"] == "dice_wt", "configuration"]) == {
        "whole",
        "heads of their own",
    }
    assert set(told.loc[told["metric"] == "harrell_c", "configuration"]) == {
        "whole",
        "no segmentation",
    }
    assert told.loc[told["configuration"] == "heads of their own", "seeds"].eq(2).all()
    assert told["patients"].le(21).all()


def test_oracle_coherence_subsets_and_calibration_are_told(compared: Path) -> None:
    read = {file.stem: pd.read_csv(file) for file in (compared / "tables").glob("*.csv")}
    assert set(read["oracle"]["configuration"]) == {"whole", "no segmentation"}
    of_state = read["coherence"][read["coherence"]["configuration"] == "whole"]
    assert of_state["incoherent"].eq(0).all()
    assert len(read["subsets-0"]) == 16
    assert {"law-0", "adaptation-0"} <= read.keys()
    assert set(read["calibration"]["model"]) == {"whole"}
    page = (compared.parent / "results" / "networks.md").read_text()
    assert "--networks list.yaml" in page
    assert "simulated" in page


def test_what_is_there_is_not_made_again(folder: Path, compared: Path) -> None:
    files = sorted((compared / "cache").rglob("checkpoint.pt"))
    assert len(files) == 4
    before = [file.stat().st_mtime_ns for file in files]
    assert compare(folder) == 0
    assert [file.stat().st_mtime_ns for file in files] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "nobody"}, "'nobody' is none of the rows"),
        ({"calibrated": ["nobody"]}, "'nobody' is none of the rows"),
        ({"adaptations": [["whole", "no segmentation"]]}, "judged through subsets too"),
        ({"rows": [LIST["rows"][0], LIST["rows"][0]]}, "share a name"),
        ({"rows": [{**LIST["rows"][0], "changes": {"stages.magic.x": 1}}]}, "no stage 'magic'"),
    ],
)
def test_lists_that_cannot_be_are_refused(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    file = folder / "wrong.yaml"
    file.write_text(yaml.safe_dump({**LIST, "adaptations": [], "calibrated": [], **change}))
    with pytest.raises(ValueError, match=message):
        read_networks(file)


def test_the_shipped_list_can_be_read() -> None:
    config = read_networks(CONFIGS / "networks.yaml")
    assert {"SGS-Net", "GMMAS", "unified"} <= {row.name for row in config.rows}


def test_the_study_needs_its_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", folder, "--out", folder / "other"]
    assert main(["study", "networks", *map(str, words)]) == 1
    assert "--networks YAML" in capsys.readouterr().err
