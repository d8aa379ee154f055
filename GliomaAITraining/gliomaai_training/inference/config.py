"""How the network is run: device, engine and precision, and how much memory one pass may take."""

from dataclasses import dataclass
from typing import Literal, get_args

Device = Literal["auto", "cpu", "cuda"]
EngineKind = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class EngineConfig:
    """What the user may choose; `auto` takes what is fastest on this machine and agrees with fp32.

    Raises:
        ValueError: a value is not one of those named.
    """

    device: Device = "auto"
    engine: EngineKind = "auto"
    """`auto` is torch: OpenVINO pays where one process runs many studies."""
    precision: Precision = "auto"
    flips: bool | None = None
    """Average over the image and its left-right mirror, which takes twice the time; None does what
    the model pack was judged with."""
    max_voxels: int = 10_000_000
    """Larger crops are computed in overlapping tiles; this holds a whole 240x240x155 grid."""
    tile_voxels: int = 128
    """Edge of a tile, rounded up to a multiple of the network's stride."""
    tile_overlap: float = 0.25
    threads: int | None = None
    """CPU threads of the network; None leaves it to the engine."""

    def __post_init__(self) -> None:
        for name, kind in (("device", Device), ("engine", EngineKind), ("precision", Precision)):
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ValueError(f"{name} {value!r} is none of {', '.join(get_args(kind))}")
        for name in ("max_voxels", "tile_voxels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
        if not 0 <= self.tile_overlap < 1:
            raise ValueError(f"tile_overlap must lie in [0, 1), not {self.tile_overlap}")
        if self.precision == "fp16" and self.device == "cpu":
            raise ValueError("fp16 needs a CUDA device; on the CPU choose fp32 or bf16")


AUTOMATIC = EngineConfig()
"""Whatever is fastest on this machine."""
