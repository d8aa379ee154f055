"""Terms of a model: from a value to columns of numbers."""

from dataclasses import replace

import numpy as np
import pytest
from survival_makers import plain_term

from gliomaai_training.survival.terms import (
    CategoricalTerm,
    NumericTerm,
    is_missing,
    term_from_document,
)


def test_the_spline_is_harrell_s() -> None:
    """Linear beyond the outer knots, smooth within; the formula of RMS 2.4.5 at one point."""
    term = NumericTerm(
        "x", "x", "", 0.0, (-99.0, 99.0), (-9.0, 0.0, 0.0, 0.0, 9.0), knots=(0.0, 1.0, 3.0)
    )
    assert term.columns == ("x", "x'")
    # (x^3 - (x-1)^3 * 3/2 + 0) / 9 at x = 2, less that at the reference
    assert term.encode([2.0])[0] == pytest.approx([2.0, (8 - 1.5) / 9])
    beyond = term.encode([3.0, 4.0, 5.0, 9.0])[:, 1]
    assert np.diff(beyond)[0] == pytest.approx(np.diff(beyond)[1])
    assert term.encode([-5.0, 0.0])[:, 1] == pytest.approx([0.0, 0.0])


def test_logarithms_are_of_the_value_and_zero_has_none() -> None:
    term = NumericTerm("v", "Volume", "mL", 1.0, (0.0, 99.0), (1, 1, 1, 2, 9), transform="log")
    assert term.encode([np.e])[0, 0] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="Volume of 0 mL is not possible"):
        term.encode([0.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transform": "root"}, "'root' is no transform"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"knots": (1.0, 2.0)}, "three or more rising knots"),
        ({"knots": (1.0, 3.0, 2.0)}, "three or more rising knots"),
        ({"allowed": (2.0, 1.0)}, "is no range"),
        ({"transform": "log"}, "is no range for log"),
        ({"reference": 99.0}, "not possible"),
    ],
)
def test_a_wrong_term_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(plain_term(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "reference", "counts", "message"),
    [
        (("A",), "A", (1,), "two or more different levels"),
        (("A", "A"), "A", (1, 1), "two or more different levels"),
        (("A", "B"), "C", (1, 1), "'C' is none of"),
        (("A", "B"), "A", (1,), "one count for each"),
    ],
)
def test_wrong_levels_are_refused(
    levels: tuple[str, ...], reference: str, counts: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CategoricalTerm("c", "C", levels, reference, counts)


def test_unknown_terms_in_json_are_refused() -> None:
    with pytest.raises(ValueError, match="is no kind of term"):
        term_from_document({"name": "x"})


@pytest.mark.parametrize("value", [0, 0.0, False, "no", {"A": 1.0}])
def test_zero_and_no_are_known(value: object) -> None:
    assert not is_missing(value)
