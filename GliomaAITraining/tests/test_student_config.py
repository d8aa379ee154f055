"""How a student learns from pseudo-labels: the ramp of their weight, each round's limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gliomaai_training.training.student_config import StudentConfig, pseudo_label_weight


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 1))
def test_the_ramp_begins_at_nothing_and_never_falls(
    one: float, two: float, share: float, largest: float
) -> None:
    config = StudentConfig(ramp_share=share, largest_weight=largest)
    low, high = sorted((one, two))
    assert pseudo_label_weight(0, config) == 0
    assert pseudo_label_weight(low, config) <= pseudo_label_weight(high, config) <= largest
    assert pseudo_label_weight(1, config) == largest


def test_the_ramp_by_default() -> None:
    config = StudentConfig()
    assert pseudo_label_weight(config.ramp_share / 2, config) == pytest.approx(0.25)
    assert pseudo_label_weight(config.ramp_share, config) == 0.5
    for done in (-0.1, 1.1):
        with pytest.raises(ValueError, match="is a share"):
            pseudo_label_weight(done, config)


def test_limits_are_those_of_the_published_code() -> None:
    first, second = StudentConfig(), StudentConfig(round_number=2)
    assert (first.limits.confidence, first.limits.deviation) == (0.9, 0.05)
    assert (second.limits.confidence, second.limits.deviation) == (0.99, 0.01)
    assert first.consistency_threshold == 0.95
    assert StudentConfig(round_number=2, selection=first.limits).limits == first.limits


@pytest.mark.parametrize(
    "fields",
    [
        {"round_number": 3},
        {"largest_weight": 1.5},
        {"ramp_share": 0},
        {"passes": 1},
        {"selection": {"confidence": 0.4}},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StudentConfig.model_validate(fields)
