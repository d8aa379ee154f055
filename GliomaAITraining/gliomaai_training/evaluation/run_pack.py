"""A training run as if it were packed: evaluation and the clinic share pack and predictor."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import CARD, ModelPack, write_model_pack
from gliomaai_training.inference.multitask_pack import MULTITASK
from gliomaai_training.inference.predictor import SEGMENTATION, Predictor
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM

if TYPE_CHECKING:
    from gliomaai_training.training.run_folder import FinishedRun

PackSettings = Mapping[str, Mapping[str, Any]]
"""Sections of a pack's settings by name."""


@contextmanager
def run_pack(
    run: "FinishedRun",
    settings: PackSettings | None = None,
    given_mm: float = COMMON_SPACING_MM,
) -> Iterator[ModelPack]:
    """A run's averaged weights as a pack, for the time of the block.

    Args:
        run: the run.
        settings: `calibration` and `postprocessing` of the pack; none of either if None.
        given_mm: edge of the voxels that the cases to be judged have. A predictor takes volumes
            for 1 mm; those of a coarse simulation come as they are.
    """
    trained = run.record.config
    has_tasks = bool(trained.network.get("tasks"))
    described: dict[str, Any] = {
        "task": MULTITASK if has_tasks else SEGMENTATION,
        "network": trained.network,
        "voxel_mm": trained.voxel_mm / given_mm,
        "normalisation": NORMALISATION,
        **(settings or {}),
    }
    if has_tasks:
        described["cohort"] = {"words": "the run's", "patients": 1, "simulated_only": False}
    metadata = {"name": "evaluated", "version": "0", "gliomaai": described}
    with tempfile.TemporaryDirectory() as scratch:
        yield write_model_pack(Path(scratch) / "pack", metadata, run.weights(), {CARD: b""})


@contextmanager
def run_predictor(
    run: "FinishedRun",
    engine: EngineConfig,
    settings: PackSettings | None = None,
    given_mm: float = COMMON_SPACING_MM,
) -> Iterator[Predictor]:
    """A predictor of a run's averaged weights; arguments as of `run_pack`."""
    with run_pack(run, settings, given_mm) as pack:
        yield Predictor(pack, engine)


def voxel_of(cases: Sequence[StoredCase]) -> float:
    """The edge of the voxels of all cases, in mm.

    Raises:
        ValueError: there are none, or they have voxels of several sizes.
    """
    edges = {edge for case in cases for edge in case.voxel_mm}
    if len(edges) != 1:
        raise ValueError(
            f"the cases have voxels of {sorted(edges)} mm: judge cohorts of one size, and cubic"
        )
    return edges.pop()
