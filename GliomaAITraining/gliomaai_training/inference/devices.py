"""Which devices the network can run on, as torch finds them."""

import os
from typing import Any

import torch

from gliomaai_training.inference.config import AUTOMATIC
from gliomaai_training.inference.engines import choose_engine


def found_devices() -> dict[str, Any]:
    """`cuda`: name and memory of each graphics card, the one that is used first; `cpu_cores`;
    `automatic`: the device that is taken where the user leaves it open."""
    cards = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    properties = [torch.cuda.get_device_properties(card) for card in cards]
    return {
        "cuda": [{"name": one.name, "memory_gib": one.total_memory / 2**30} for one in properties],
        "cpu_cores": os.cpu_count() or 1,
        "automatic": choose_engine(AUTOMATIC).device,
    }
