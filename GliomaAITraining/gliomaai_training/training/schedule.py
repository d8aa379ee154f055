"""How fast a run learns at each step."""

import math

from gliomaai_training.training.config import OptimiserConfig


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Linear warm-up, then cosine decay to 1 % of the peak at the last step."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return config.learning_rate * warmup * (0.01 + 0.99 * cosine)
