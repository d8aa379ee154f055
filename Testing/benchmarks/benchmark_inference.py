"""How fast the segmentation network runs, against plain MONAI sliding window with its weights.

Run by `make bench`. Each engine runs in a process of its own, so that its peak memory is its own.
Ratios are of process CPU-seconds, which do not depend on how many cores are free: the sliding
window's median over the engine's median, in the same run. Both are given the same study on its
240x240x155 grid; the engines crop it to the brain first, and that is counted. A network of coarser
voxels is compared twice: with windows over its own voxels, and with windows over 1 mm voxels, which
is what the same architecture costs where nobody coarsens.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmark_process import BUILD, ROOT, peak_gb, say, write_json
from benchmark_volume import case_sequences, prepared, synthetic_sequences, whole_grid

from gliomaai_training.evaluation.segmentation_metrics import dice
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import has_amx_bf16, has_openvino
from gliomaai_training.inference.model_pack import ModelPack, load_model_pack, write_model_pack
from gliomaai_training.inference.postprocessing import entropy_bits, nested_labels, softmax
from gliomaai_training.preprocessing.coarsening import coarsened_input, refined
from gliomaai_training.preprocessing.network_input import (
    NORMALISATION,
    NetworkInput,
    pad_to_multiple,
)
from gliomaai_training.vocabulary import REGIONS

DEFAULT_PACK = ROOT / "Resources" / "Models" / "segmentation"
BASELINE = "MONAI sliding window"
FINE_BASELINE = "MONAI sliding window, 1 mm"
WINDOW = (128, 128, 128)
AGREEMENT = 0.997
"""Mask Dice with torch fp32 below this is named in the table."""


@dataclass(frozen=True)
class Measured:
    """One engine's figures; seconds are of CPU time unless they say wall."""

    name: str
    cpu_s: list[float]
    wall_s: list[float]
    import_s: float
    open_s: float
    peak_gb: float
    voxels: int
    stages_s: dict[str, float]

    @property
    def median_s(self) -> float:
        return float(np.median(self.cpu_s))


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.child:
        return _child(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        pack = _pack(arguments.pack, Path(scratch))
        names = [BASELINE, *_engines()]
        if _voxel_mm(pack) != 1.0:
            names.insert(1, FINE_BASELINE)
        measured = [_measure(name, pack, arguments, Path(scratch)) for name in names]
        agreement = {name: _agreement(name, Path(scratch)) for name in names}
    say(_table(measured, agreement))
    say(_stage_table(measured))
    report = {
        "machine": f"{platform.processor() or platform.machine()}, {platform.platform()}",
        "amx_bf16": has_amx_bf16(),
        "pack": pack.name,
        "case": arguments.case.name if arguments.case else "synthetic",
        "engines": [asdict(item) | {"mask_dice": agreement[item.name]} for item in measured],
    }
    write_json(report, arguments.out)
    say(f"Written: {arguments.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, help="model pack; default: the shipped one")
    parser.add_argument("--case", type=Path, help="folder of t1.nii.gz ...; default: synthetic")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each engine")
    parser.add_argument("--baseline-repeats", type=int, default=2, help="runs of the baseline")
    parser.add_argument("--threads", type=int, help="CPU threads; default: the engine's own")
    parser.add_argument("--out", type=Path, default=BUILD / "benchmark_inference.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    return parser


def _engines() -> list[str]:
    precisions = ["fp32", "bf16"] if has_amx_bf16() else ["fp32"]
    libraries = ["torch", "openvino"] if has_openvino() else ["torch"]
    return [f"{library} {precision}" for library in libraries for precision in precisions]


def _pack(folder: Path | None, scratch: Path) -> ModelPack:
    """The pack asked for, the shipped one, or an untrained network of the default size."""
    if folder is not None or DEFAULT_PACK.is_dir():
        return load_model_pack(folder or DEFAULT_PACK)
    import torch

    from gliomaai_training.networks.build import build_network

    say("No model pack: an untrained network of the default size stands in.")
    torch.manual_seed(0)
    network = {"architecture": "segmentation"}
    metadata = {
        "name": "untrained",
        "version": "0",
        "gliomaai": {"task": "segmentation", "network": network, "normalisation": NORMALISATION},
    }
    state = build_network(network).state_dict()
    return write_model_pack(scratch / "untrained", metadata, state, {"docs/README.md": b"#\n"})


def _measure(name: str, pack: ModelPack, arguments: argparse.Namespace, scratch: Path) -> Measured:
    say(f"{name} ...")
    result = scratch / f"{name}.json"
    command = [sys.executable, __file__, "--child", name, "--result", str(result)]
    command += ["--pack", str(pack.folder)]
    repeats = arguments.baseline_repeats if name.startswith(BASELINE) else arguments.repeats
    command += ["--repeats", str(repeats)]
    if arguments.case:
        command += ["--case", str(arguments.case)]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    subprocess.run(command, check=True)
    return Measured(**json.loads(result.read_text("utf-8")))


def _agreement(name: str, scratch: Path) -> dict[str, float]:
    """Mask Dice of WT, TC and ET with those of torch fp32."""
    ours, theirs = (np.load(scratch / f"{each}.npy") for each in (name, "torch fp32"))
    return {
        region: dice(np.isin(ours, labels), np.isin(theirs, labels))
        for region, labels in REGIONS.items()
    }


def _child(arguments: argparse.Namespace) -> int:
    """Measures one engine and writes its figures and its labels beside each other."""
    sequences = case_sequences(arguments.case) if arguments.case else synthetic_sequences()
    study = prepared(sequences)
    pack = load_model_pack(arguments.pack)
    clock = time.process_time()
    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    import_s = time.process_time() - clock
    clock = time.process_time()
    if arguments.child.startswith(BASELINE):
        voxel_mm = 1.0 if arguments.child == FINE_BASELINE else _voxel_mm(pack)
        run, stages = _sliding_window(pack, study, voxel_mm)
    else:
        run, stages = _engine(arguments.child, arguments.threads, pack, study)
    open_s = time.process_time() - clock
    cpu_s, wall_s, voxels = [], [], 0
    labels = np.zeros(0, np.uint8)
    for _ in range(arguments.repeats):
        begin, wall = time.process_time(), time.perf_counter()
        labels, voxels = run()
        cpu_s.append(time.process_time() - begin)
        wall_s.append(time.perf_counter() - wall)
    np.save(arguments.result.with_suffix(".npy"), labels)
    figures = Measured(
        arguments.child, cpu_s, wall_s, import_s, open_s, peak_gb(), voxels, dict(stages)
    )
    arguments.result.write_text(json.dumps(asdict(figures)), "utf-8")
    return 0


Run = Callable[[], tuple[Any, int]]


def _voxel_mm(pack: ModelPack) -> float:
    return float(pack.settings.get("voxel_mm", 1.0))


def _sliding_window(pack: ModelPack, study: Any, voxel_mm: float) -> tuple[Run, dict[str, float]]:
    """What MONAI's own bundles do: overlapping windows over the whole grid, fp32, NCDHW."""
    import torch
    from monai.inferers.inferer import SlidingWindowInferer

    from gliomaai_training.networks.build import build_network

    network = build_network(pack.settings["network"]).eval()
    network.load_state_dict(pack.weights())
    cut = NetworkInput.of(study, network.stride)  # type: ignore[arg-type]
    present = torch.from_numpy(cut.present)[None]
    fine = whole_grid(cut)
    images = torch.from_numpy(coarsened_input(fine, voxel_mm))[None].contiguous()
    brain = cut.restore(cut.brain[None].astype(np.float32), (0.0,))[0] > 0
    windows = SlidingWindowInferer(WINDOW, sw_batch_size=1, overlap=0.5, mode="gaussian")

    def run() -> tuple[Any, int]:
        with torch.inference_mode():
            logits = windows(images, lambda window: network(window, present))
        labels = nested_labels(refined(softmax(logits[0].numpy()), fine.shape[1:]))
        return np.where(brain, labels, 0).astype(np.uint8), images[0, 0].numel()

    return run, {}


def _engine(
    name: str, threads: int | None, pack: ModelPack, study: Any
) -> tuple[Run, dict[str, float]]:
    """The predictor's steps one by one, each timed."""
    from gliomaai_training.inference.engines import choose_engine, open_engine
    from gliomaai_training.networks.build import build_network

    library, precision = name.split()
    config = EngineConfig(device="cpu", engine=library, precision=precision, threads=threads)  # type: ignore[arg-type]
    network = build_network(pack.settings["network"])
    network.load_state_dict(pack.weights())
    engine = open_engine(network, choose_engine(config), threads)
    if engine.name != f"{name} cpu":
        raise RuntimeError(f"{name} was asked for, but {engine.name} was opened")
    voxel_mm = _voxel_mm(pack)
    stages: dict[str, float] = {}

    def timed(stage: str, begin: float) -> float:
        now = time.process_time()
        stages[stage] = now - begin
        return now

    def run() -> tuple[Any, int]:
        clock = time.process_time()
        cut = NetworkInput.of(study, round(engine.stride * voxel_mm))
        clock = timed("crop and normalise", clock)
        read = coarsened_input(cut.images, voxel_mm)
        depth, height, width = read.shape[1:]
        clock = timed("coarsen", clock)
        logits = engine.logits(pad_to_multiple(read, engine.stride), cut.present)
        logits = logits[:, :depth, :height, :width]
        clock = timed("network", clock)
        probabilities = refined(softmax(logits), cut.brain.shape)
        clock = timed("probabilities", clock)
        labels = np.where(cut.brain, nested_labels(probabilities), 0)
        clock = timed("labels", clock)
        entropy_bits(probabilities)
        clock = timed("entropy", clock)
        whole = cut.restore(labels[None].astype(np.float32), (0.0,))[0].astype(np.uint8)
        timed("back to the grid", clock)
        return whole, cut.brain.size

    return run, stages


def _table(measured: list[Measured], agreement: dict[str, dict[str, float]]) -> str:
    baselines = [item for item in measured if not item.stages_s]
    lines = [
        "",
        "| engine | CPU-s, median (range) | wall s | times faster | network alone, times faster "
        "| mask Dice with torch fp32 WT/TC/ET | peak GB | import s | open s | Mvoxel |",
        "|-|-|-|-|-|-|-|-|-|-|",
    ]
    for item in measured:
        same = agreement[item.name]
        note = "" if min(same.values()) >= AGREEMENT or item in baselines else " (differs)"
        network = item.stages_s.get("network")
        alone = _ratios(baselines, network) if network else ""
        lines.append(
            f"| {item.name} "
            f"| {item.median_s:.2f} ({min(item.cpu_s):.2f} to {max(item.cpu_s):.2f}) "
            f"| {np.median(item.wall_s):.2f} | {_ratios(baselines, item.median_s)} | {alone} "
            f"| {' / '.join(f'{value:.4f}' for value in same.values())}{note} "
            f"| {item.peak_gb:.2f} | {item.import_s:.2f} | {item.open_s:.2f} "
            f"| {item.voxels / 1e6:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _ratios(baselines: list[Measured], seconds: float) -> str:
    """How many times longer each baseline took."""
    return " / ".join(f"{baseline.median_s / seconds:.1f}" for baseline in baselines)


def _stage_table(measured: list[Measured]) -> str:
    engines = [item for item in measured if item.stages_s]
    lines = ["| CPU-s by stage, last run | " + " | ".join(item.name for item in engines) + " |"]
    lines.append("|" + "-|" * (len(engines) + 1))
    for stage in engines[0].stages_s:
        cells = " | ".join(f"{item.stages_s[stage]:.2f}" for item in engines)
        lines.append(f"| {stage} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
