"""What the heads of a multi-task pack cost: its predictor against that of the segmentation alone.

Both networks have the same encoder and decoder, random weights, and are given the same study on its
240x240x155 grid, in turns, in one process, so that other work on the machine touches both. Seconds
are of CPU time, which do not depend on how many cores are free; the ratio is that of each pair of
turns. A corrected mask is answered with the features kept, which is timed too.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from benchmark_process import BUILD, cpu_s, say, write_json
from benchmark_volume import prepared, synthetic_sequences

from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPack, write_model_pack
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.networks.multitask import SIZES
from gliomaai_training.preprocessing.network_input import NORMALISATION

ASKED = 1.5
"""A multi-task pack shall take at most so many times as long as the segmentation pack."""
COHORT = {"words": "nobody: random weights", "patients": 1, "simulated_only": True}


def main() -> int:
    arguments = _parser().parse_args()
    study = prepared(synthetic_sequences())
    report: dict[str, Any] = {"size": arguments.size, "voxel_mm": arguments.voxel_mm, "packs": {}}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        plain = _pack(folder / "segmentation", arguments, None)
        lines = ["| pack | segmentation CPU-s | multi-task CPU-s | ratio, median (range) |"]
        lines.append("|-|-|-|-|")
        for name, global_branch in (("heads", False), ("heads and global branch", True)):
            pack = _pack(folder / name.replace(" ", "-"), arguments, global_branch)
            turns = _turns(plain, pack, study, arguments)
            ratios = np.divide(turns["multitask"], turns["segmentation"])
            report["packs"][name] = {**turns, "ratio": float(np.median(ratios))}
            own, other = (np.median(turns[kind]) for kind in ("segmentation", "multitask"))
            lines.append(
                f"| {name} | {own:.2f} | {other:.2f} | {np.median(ratios):.2f} "
                f"({ratios.min():.2f} to {ratios.max():.2f}) |"
            )
            report["packs"][name]["reassess_s"] = _reassessed_s(pack, study, arguments)
            lines.append(f"| {name}, mask answered anew | | {_shown(report, name)} | |")
    say("\n".join(lines) + f"\n\nAsked: at most {ASKED:g} times.")
    write_json(report, arguments.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="medium")
    parser.add_argument("--voxel-mm", type=float, default=1.5)
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own")
    parser.add_argument("--out", type=Path, default=BUILD / "benchmark_multitask.json")
    return parser


def _pack(folder: Path, arguments: argparse.Namespace, global_branch: bool | None) -> ModelPack:
    """A pack of random weights; without heads where `global_branch` is None."""
    import torch

    from gliomaai_training.networks.build import build_network

    size = SIZES[arguments.size].model_dump(mode="json")
    settings: dict[str, Any] = {
        "voxel_mm": arguments.voxel_mm,
        "task": "segmentation",
        "normalisation": NORMALISATION,
    }
    settings["network"] = {"architecture": "segmentation", **size}
    if global_branch is not None:
        tasks = ["state", "risk"]
        settings |= {"task": "multitask", "cohort": COHORT}
        settings["network"] = {
            "architecture": "multitask",
            "segmentation": size,
            "global_branch": global_branch,
            "tasks": tasks,
        }
    torch.manual_seed(0)
    state = build_network(settings["network"]).state_dict()
    metadata = {"name": folder.name, "version": "0", "gliomaai": settings}
    return write_model_pack(folder, metadata, state, {"docs/README.md": b"#\n"})


def _turns(
    plain: ModelPack, pack: ModelPack, study: Any, arguments: argparse.Namespace
) -> dict[str, list[float]]:
    """CPU-seconds of every turn; the first of each, which opens the network, is left out."""
    config = EngineConfig(device="cpu", engine="torch", threads=arguments.threads)
    predictors = {"segmentation": Predictor(plain, config), "multitask": Predictor(pack, config)}
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for turn in range(arguments.repeats + 1):
        for name, predictor in predictors.items():
            spent = cpu_s(lambda predictor=predictor: predictor.predict(study))  # type: ignore[misc]
            if turn:
                seconds[name].append(spent)
    return seconds


def _reassessed_s(pack: ModelPack, study: Any, arguments: argparse.Namespace) -> list[float]:
    config = EngineConfig(device="cpu", engine="torch", threads=arguments.threads)
    prediction = Predictor(pack, config).predict(study)
    features = prediction.features
    if features is None:
        raise RuntimeError(prediction.no_features)
    reader, labels = TaskReader(pack), sitk.GetArrayFromImage(prediction.labels)
    return [cpu_s(lambda: reader.read(features, labels)) for _ in range(arguments.repeats)]


def _shown(report: dict[str, Any], name: str) -> str:
    seconds = report["packs"][name]["reassess_s"]
    return f"{seconds[0]:.2f} (first), {np.median(seconds[1:]):.2f} (later)"


if __name__ == "__main__":
    sys.exit(main())
