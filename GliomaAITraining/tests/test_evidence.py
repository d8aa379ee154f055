"""What imaging was measured to add: as the tables say, kept exactly, and packed with its model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gliomaai_training.documents import read_document, write_document
from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.studies.evidence import gain
from gliomaai_training.studies.scores import Judged, difference_cells
from gliomaai_training.survival.evidence import Evidence, Gain, Verdict
from gliomaai_training.survival.outcome import Outcome

GAIN = Gain("Here", 90, 60, "age", (0.71, 0.66, 0.76), (0.01, -0.01, 0.03), 0.31)


def judged() -> Judged:
    draw = np.random.default_rng(3)
    months = draw.exponential(20, 120)
    followed = Outcome(months, draw.random(120) < 0.7)
    return Judged(followed, np.full(120, "GBM", object), 1, BootstrapConfig(resamples=200))


def test_a_gain_is_what_the_study_s_table_says() -> None:
    some = judged()
    noise = np.random.default_rng(4).normal(size=(2, 120))
    theirs = noise[0] * 20 - some.followed.months
    ours = noise[1] * 20 - some.followed.months
    found = gain("Here", "age", ours, theirs, some)
    estimate, low, high = found.difference
    cells = difference_cells(ours, theirs, some)
    assert f"{estimate:+.3f} ({low:+.3f} to {high:+.3f})" == cells["difference of C"]
    assert (found.patients, found.events) == (120, some.followed.events)
    assert f"{found.p:.3f}" == cells["p (bootstrap)"]


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.03, 0.01, 0.05), Verdict.ADDS),
        ((0.03, -0.01, 0.07), Verdict.NOTHING),
        ((0.03, 0.0, 0.06), Verdict.NOTHING),
        ((-0.03, -0.05, -0.01), Verdict.HARMS),
    ],
)
def test_only_an_interval_above_zero_is_a_gain(
    interval: tuple[float, float, float], verdict: Verdict
) -> None:
    assert replace(GAIN, difference=interval).verdict is verdict


def test_evidence_comes_back_exactly(tmp_path: Path) -> None:
    evidence = Evidence("volumes", "patients left out", (GAIN, replace(GAIN, cohort="There")))
    write_document(evidence.document(), tmp_path / "e.json")
    assert Evidence.from_document(read_document(tmp_path / "e.json")) == evidence


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "gliomaai Cox model"}, "needs 'gliomaai evidence'"),
        ({"gains": []}, "without any cohort"),
        ({"gains": [{"cohort": "Here"}]}, "cannot be read"),
        ({"gains": None}, "cannot be read"),
    ],
)
def test_what_is_no_evidence_is_refused(change: dict[str, object], match: str) -> None:
    document = Evidence("volumes", "patients left out", (GAIN,)).document() | change
    with pytest.raises(ValueError, match=match):
        Evidence.from_document(document)


@pytest.mark.parametrize(
    "change",
    [
        {"events": 91},
        {"events": 0},
        {"p": 1.5},
        {"difference": (0.1, 0.2, 0.1)},
        {"concordance": (float("nan"), 0.1, 0.2)},
    ],
)
def test_impossible_figures_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"impossible|interval|between"):
        replace(GAIN, **change)
