"""Which sequences a training sample shows: all 15 subsets occur."""

import numpy as np
from numpy.typing import NDArray


def draw_present(
    available: NDArray[np.bool_], keep_all: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Draws the sequences to show of those that a case has.

    Args:
        available: (4,), at least one true.
        keep_all: probability of showing everything; else all proper subsets are as likely.
        generator: source of randomness.

    Returns:
        (4,), at least one true and none that is not available.

    Raises:
        ValueError: no sequence is available.
    """
    indices = np.flatnonzero(available)
    if indices.size == 0:
        raise ValueError("a case without any sequence")
    if indices.size == 1 or generator.random() < keep_all:
        return available.copy()
    code = int(generator.integers(1, 2**indices.size - 1))
    present = np.zeros_like(available)
    for position, index in enumerate(indices):
        present[index] = bool(code >> position & 1)
    return present
