"""Pictures of explanations: what they show, and that they say what they are."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from interpretation_makers import CARRIER, Ball, unseen
from matplotlib.image import imread
from numpy.typing import NDArray

from gliomaai_training.interpretation.explanations import Saliency, SequenceImportance, Target
from gliomaai_training.interpretation.figures import importance_bars, saliency_overlay
from gliomaai_training.vocabulary import SEQUENCES


def made(ball: Ball, sign: float = 1.0, present: tuple[str, ...] = SEQUENCES) -> Saliency:
    """A map of T2's tumour."""
    found = np.zeros_like(ball.images)
    found[CARRIER][ball.tumour] = sign
    target = Target("idh", "mutant")
    return Saliency(target, "integrated gradients", present, found, None, 2.0, 0.0)


def importance(**values: float) -> SequenceImportance:
    return SequenceImportance(Target("idh", "mutant"), "log-odds", values, -0.5, 1.5)


def pixels(png: bytes) -> NDArray[np.float32]:
    assert png.startswith(b"\x89PNG")
    return np.asarray(imread(io.BytesIO(png)))[..., :3]


def coloured(png: bytes) -> tuple[int, int]:
    """How many pixels of the panels are orange, and how many blue."""
    part = pixels(png)
    part = part[:, : int(part.shape[1] * 0.85)]  # not the colour bar
    redder = part[..., 0] - part[..., 2]
    orange = (redder > 0.3) & (part[..., 1] < 0.8 * part[..., 0])  # not the yellow outline
    return int(orange.sum()), int((redder < -0.3).sum())


def test_what_speaks_for_an_answer_is_orange_and_what_speaks_against_it_blue() -> None:
    ball = unseen()[0]
    orange, blue = coloured(saliency_overlay(made(ball), ball.images, ball.tumour))
    assert orange > 500
    assert blue == 0
    orange, blue = coloured(saliency_overlay(made(ball, -1.0), ball.images, ball.tumour))
    assert orange == 0
    assert blue > 500


def test_no_colour_where_there_is_no_saliency() -> None:
    ball = unseen()[0]
    png = saliency_overlay(made(ball, 0.0), ball.images, ball.tumour)
    assert coloured(png) == (0, 0)


def test_the_slice_is_where_the_tumour_is_largest_else_where_the_map_is() -> None:
    ball = unseen()[0]
    largest = int(ball.tumour.sum((1, 2)).argmax())
    only = np.zeros_like(ball.images)
    only[:, largest] = made(ball).map[:, largest]
    there = replace(made(ball), map=only)
    nothing = np.zeros_like(ball.tumour)
    for tumour in (ball.tumour, nothing):
        assert coloured(saliency_overlay(there, ball.images, tumour))[0] > 500
    away = replace(made(ball), map=np.roll(only, 8, axis=1))
    assert coloured(saliency_overlay(away, ball.images, ball.tumour)) == (0, 0)
    assert coloured(saliency_overlay(away, ball.images, nothing))[0] > 500


def test_an_absent_sequence_is_said_to_be() -> None:
    ball = unseen()[0]
    whole = pixels(saliency_overlay(made(ball), ball.images, ball.tumour))
    part = pixels(saliency_overlay(made(ball, 1.0, ("t1gd", "t2")), ball.images, ball.tumour))
    assert not np.array_equal(whole, part)


def test_the_same_explanation_is_the_same_picture() -> None:
    ball = unseen()[0]
    pictures = [saliency_overlay(made(ball), ball.images, ball.tumour) for _ in range(2)]
    assert pictures[0] == pictures[1]
    bars = [importance_bars([importance(t1=0.5, t2=1.5)]) for _ in range(2)]
    assert bars[0] == bars[1]


def test_bars_are_as_many_panels_as_answers() -> None:
    one = importance(t1=-0.5, t1gd=0.25, t2=2.0, flair=0.25)
    risk = replace(one, target=Target("risk"), scale="log-risk")
    share = replace(one, scale="probability", empty=0.3, full=0.9)
    single, several = pixels(importance_bars([one])), pixels(importance_bars([one, share, risk]))
    assert several.shape[1] > 2 * single.shape[1]


def test_what_cannot_be_drawn_is_refused() -> None:
    ball = unseen()[0]
    with pytest.raises(ValueError, match="the images"):
        saliency_overlay(made(ball), ball.images[:, 1:], ball.tumour)
    with pytest.raises(ValueError, match="the tumour"):
        saliency_overlay(made(ball), ball.images, ball.tumour[1:])
    with pytest.raises(ValueError, match="no importances"):
        importance_bars([])


def test_a_report_can_show_them_without_torch() -> None:
    modules = ("explanations", "figures", "shapley")
    names = ", ".join(f"gliomaai_training.interpretation.{name}" for name in modules)
    code = f"import sys, {names}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "monai", "matplotlib"} & set(done.stdout.split()) == set()
