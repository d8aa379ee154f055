"""Figures of a brain mask network: simulated heads, expert tumours, the table and the picture."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from torch import Tensor, nn

from gliomaai_training.evaluation.brain_mask import (
    cpu_seconds,
    dice,
    evaluate_containment,
    evaluate_outside,
    slice_gap_mm,
    slice_stack,
    summary,
)
from gliomaai_training.evaluation.brain_mask_report import (
    PICTURE,
    EvaluationConfig,
    draw_picture,
    evaluate_brain_mask,
    write_figures,
)


class BrightIsBrain(nn.Module):
    """Stands for the network: whatever is bright is brain."""

    def forward(self, image: Tensor) -> Tensor:
        """Logits shaped like the image."""
        return 20 * (image - 0.5)


def bright_box() -> np.ndarray:
    """Slices with a bright box on a dark ground."""
    array = np.full((30, 128, 128), 10, np.uint8)
    array[6:24, 30:90, 40:100] = 200
    return array


def test_containment_counts_the_tumour_inside(tmp_path: Path) -> None:
    tumour = np.zeros((30, 128, 128), np.uint8)
    tumour[10:14, 85:95, 50:60] = 1  # half of it beyond the box
    np.savez(tmp_path / "P1.npz", t1=bright_box(), flair=bright_box(), whole_tumor=tumour)
    table = {"patient": ["P1"], "t1_missing": [False], "t1gd_missing": [True]}
    pd.DataFrame(table).to_csv(tmp_path / "patients.csv", index=False)
    shares = evaluate_containment(BrightIsBrain(), tmp_path).by_sequence
    assert set(shares) == {"t1", "flair", "fused"}
    for values in shares.values():
        assert values["P1"] == pytest.approx(0.5, abs=0.06)


def test_missing_sequences_do_not_count(tmp_path: Path) -> None:
    ones = np.ones((30, 128, 128), np.uint8)
    np.savez(tmp_path / "P1.npz", t1=bright_box() * 0, flair=bright_box(), whole_tumor=ones)
    table = {"patient": ["P1"], "t1_missing": [True], "t1gd_missing": [True]}
    pd.DataFrame(table).to_csv(tmp_path / "patients.csv", index=False)
    assert set(evaluate_containment(BrightIsBrain(), tmp_path).by_sequence) == {"flair", "fused"}


def test_outside_share_tells_what_is_bright_beyond() -> None:
    array = bright_box()
    clean = evaluate_outside(BrightIsBrain(), {"a": slice_stack(array)})
    array[6:24, 100:120, 40:100] = 60  # too dark for brain, too bright for air
    dirty = evaluate_outside(BrightIsBrain(), {"a": slice_stack(array)})
    assert clean["a"] == 0
    assert dirty["a"] > 0.2


def test_gap_is_plausible() -> None:
    assert slice_gap_mm(30) == 5.0
    assert slice_gap_mm(10) == 7.5
    assert slice_gap_mm(200) == 2.0


def test_summary_and_dice() -> None:
    assert summary([0.5, 1.0, 0.75])["median"] == 0.75
    assert summary([0.5, 1.0, 0.75])["worst"] == 0.5
    one = np.array([True, True, False])
    assert dice(one, ~one) == 0
    assert dice(one, one) == dice(one & ~one, one & ~one) == 1


def test_cpu_seconds_are_positive() -> None:
    assert cpu_seconds(BrightIsBrain(), [slice_stack(bright_box())]) > 0


def test_table_and_picture_are_written(tmp_path: Path) -> None:
    network = BrightIsBrain()
    figures = evaluate_brain_mask(network, EvaluationConfig(heads=1))
    assert set(figures) == {"simulated_dice"}
    assert figures["simulated_dice"]["n"] == 1
    assert json.loads(write_figures(figures, tmp_path).read_text("utf-8")) == figures
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 50, "loss": 0.5}\n{"step": 100, "loss": 0.3}\n', "utf-8")
    picture = draw_picture(network, figures, log, tmp_path)
    assert picture.name == PICTURE
    assert min(sitk.ReadImage(str(picture)).GetSize()) > 500
