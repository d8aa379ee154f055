"""Every category on a nomogram is named, no label covers another, and written points add up."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from survival_makers import PLAN, a_patient, made_up_patients

from gliomaai_training.survival.fit_cox import fit_cox
from gliomaai_training.survival.label_lanes import CHARACTER, category_lanes, number_lanes
from gliomaai_training.survival.nomogram import Nomogram, NomogramAxis, make_nomogram
from gliomaai_training.survival.nomogram_figure import ROUNDED, NomogramPatient, nomogram_figure
from gliomaai_training.survival.readable import whole_total
from gliomaai_training.survival.terms import CategoricalTerm

MODEL = fit_cox(*made_up_patients(2, 300), PLAN).model
HISTOLOGY = ("oligodendroglioma", "oligoastrocytoma", "astrocytoma")


def with_categories(names: Sequence[str], points: Sequence[float]) -> Nomogram:
    """A nomogram whose category has these names at these points."""
    nomogram = make_nomogram(MODEL)
    term = CategoricalTerm("histology", "Histology", tuple(names), names[0], (9,) * len(names))
    ticks = tuple(zip(names, points, strict=True))
    axis = NomogramAxis(term, np.asarray(points[1:], np.float64), 0.0, ticks)
    age, sex, _, volume = nomogram.axes
    return replace(nomogram, axes=(age, sex, axis, volume))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn, instead of their files."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    return figures


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.axes[0].texts if text.get_text()]


def covered(figure: Figure) -> list[tuple[str, str]]:
    """Texts that touch each other as they are drawn."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    return [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)]


def test_the_crowded_histologies_of_lower_grade_glioma_are_all_named(drawn: list[Figure]) -> None:
    """Oligoastrocytoma, between the two others, had no name on the published drawing."""
    nomogram_figure(with_categories(HISTOLOGY, (0.0, 7.27, 13.9)), Path("n.png"))
    (figure,) = drawn
    assert set(HISTOLOGY) <= {text.get_text() for text in texts(figure)}
    assert covered(figure) == []


@pytest.mark.parametrize("points", [(0, 0, 0, 0), (0, 1, 2, 100), (0, 97, 98, 100), (50, 0, 3, 60)])
def test_however_crowded_no_name_covers_another(
    drawn: list[Figure], points: tuple[float, ...]
) -> None:
    names = (*HISTOLOGY, "glioblastoma")
    patient = NomogramPatient({**a_patient(), "histology": names[1]})
    nomogram_figure(with_categories(names, points), Path("n.png"), patient)
    (figure,) = drawn
    assert set(names) <= {text.get_text() for text in texts(figure)}
    assert covered(figure) == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0, 6.2), st.text("abcdefg", min_size=1, max_size=20)),
        min_size=1,
        max_size=8,
    )
)
def test_lanes_keep_labels_apart(spots: list[tuple[float, str]]) -> None:
    spots = sorted(spots)
    categories, numbers = category_lanes(spots), number_lanes(spots, (1, -1))
    assert 0 not in categories
    assert set(numbers) <= {0, 1, -1}
    assert numbers[0] == 1
    for lanes in (categories, numbers):
        for (one, lane), (other, its_lane) in combinations(zip(spots, lanes, strict=True), 2):
            if lane == its_lane != 0:
                room = (len(one[1]) + len(other[1])) / 2 * CHARACTER
                assert abs(one[0] - other[0]) >= room


def test_a_tick_runs_through_no_other_name_where_that_can_be() -> None:
    assert category_lanes([(0.0, "x" * 17), (0.4, "x" * 16), (0.8, "x" * 11)]) == [1, -2, -1]


def test_written_points_add_up_to_the_written_total(drawn: list[Figure]) -> None:
    nomogram = make_nomogram(MODEL)
    patients, _ = made_up_patients(9, 6)
    differ = 0
    for row in patients.to_dict("records"):
        score = nomogram.score(row)
        nomogram_figure(nomogram, Path("n.png"), NomogramPatient(row))
        words = [text.get_text() for text in texts(drawn[-1]) if text.get_text().endswith("points")]
        numbers = [int(word.split()[0]) for word in words if word != "Total points"]
        assert sum(numbers[:-1]) == numbers[-1] == whole_total(score.points.values())
        assert abs(numbers[-1] - score.total) <= len(nomogram.axes) / 2
        differ += numbers[-1] != round(score.total)
    assert differ, "these patients show nothing"
    assert ROUNDED in {text.get_text() for text in texts(drawn[-1])}
