"""Several tests at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """p values adjusted for their number, so that all together err as often as one (Holm 1979).

    Args:
        p_values: (k,)

    Returns:
        (k,) in the order given, at most 1.

    Raises:
        ValueError: a value out of 0 to 1.
    """
    given = np.asarray(p_values, np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"p values lie between 0 and 1, not {given.tolist()}")
    order = np.argsort(given, kind="stable")
    scaled = given[order] * np.arange(given.size, 0, -1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
