"""What one training step and one inference cost: the multi-task network's sizes beside MONAI's.

Every network reads one patient of the same size: random images in a cube of `--edge` voxels. A
training step is forward, loss, backward, clipping and AdamW; the multi-task network computes the
losses of all its tasks, the others that of segmentation. An inference is one pass over the cube,
the heads included. SegResNet and SwinUNETR are those of MONAI's BraTS examples (16 filters; feature
size 48), laid out as MONAI does, without gradient checkpointing; ours is laid out channels-last, as
it trains and runs. Precision is that of the product, alike for all: bf16 autocast on CUDA and on
CPUs with AMX, else float32.

Each measurement is a process of its own, so that its peak memory is its own, and all of them take
turns for `--rounds` rounds, so that other work on the machine touches all. A ratio is of two
measurements of the same round. Seconds are of CPU time on a CPU, which does not depend on how many
cores are free, and of the clock on a GPU. Peak memory is that of the process on a CPU, libraries
included (the column tells how much they are), and of torch's tensors on a GPU.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from benchmark_process import BUILD, available_gb, cpu_s, peak_gb, say, write_json

TRAINING, INFERENCE = WORKS = ("training step", "inference")
CPU, GPU = "cpu", "cuda"
MULTIPLE = 32
"""Of the edge: SwinUNETR halves the cube five times, and has to be left with two voxels."""
OPTIONS = ("edge", "times", "threads", "memory_gb")
"""Of the command line that a child needs too."""


@dataclass(frozen=True)
class Asked:
    """One measurement."""

    network: str
    work: str
    device: str


@dataclass(frozen=True)
class Measured:
    """What one process measured."""

    parameters: int
    seconds: tuple[float, ...]
    """Of each time, after one to warm up."""
    peak_gb: float
    libraries_gb: float
    """Held before the network was built."""

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


Rounds = Mapping[Asked, Sequence[Measured | str]]
"""Of each measurement what every round gave: figures, or why there are none."""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.edge % MULTIPLE or arguments.edge < 2 * MULTIPLE:
        raise SystemExit(
            f"--edge is {2 * MULTIPLE} or another multiple of {MULTIPLE}, not {arguments.edge}"
        )
    if arguments.child:
        return _child(arguments)
    found = _answer({}, arguments)
    networks = [*found["ours"], *found["baselines"]]
    asked = [Asked(*one) for one in product(networks, WORKS, found["devices"])]
    rounds: dict[Asked, list[Measured | str]] = {one: [] for one in asked}
    for number in range(arguments.rounds):
        for one in asked:
            said = f"{one.network}, {one.work}, {one.device}"
            say(f"round {number + 1} of {arguments.rounds}: {said}")
            rounds[one].append(_measured(one, arguments))
    text = _markdown(rounds, found, arguments)
    say(text)
    write_json(_report(rounds, found, arguments), arguments.out)
    arguments.out.with_suffix(".md").write_text(text, "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--edge", type=int, default=128, help="voxels along each side")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each measurement")
    parser.add_argument("--times", type=int, default=3, help="repeats in each process")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own")
    parser.add_argument(
        "--memory-gb",
        type=float,
        default=available_gb(),
        help="what one process on the CPU may take; default: what is available now",
    )
    parser.add_argument("--out", type=Path, default=BUILD / "benchmark_networks.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser


def _answer(question: Mapping[str, str], arguments: argparse.Namespace) -> dict[str, Any]:
    """What a process of its own answers; to no question, what there is to ask.

    Raises:
        subprocess.CalledProcessError: it failed; its last words are in `stderr`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer.json"
        command = [sys.executable, __file__, "--child", json.dumps(question), "--out", str(answer)]
        for name in OPTIONS:
            if getattr(arguments, name) is not None:
                command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
        found: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return found


def _measured(one: Asked, arguments: argparse.Namespace) -> Measured | str:
    try:
        found = _answer(asdict(one), arguments)
    except subprocess.CalledProcessError as error:
        if error.returncode < 0:
            return f"killed by signal {-error.returncode}"
        lines = str(error.stderr).strip().splitlines()
        return lines[-1] if lines else f"ended with {error.returncode}"
    return Measured(**{**found, "seconds": tuple(found["seconds"])})


def _child(arguments: argparse.Namespace) -> int:
    """Answers one question. Torch is imported here and not in the parent, whose memory would count
    as the child's."""
    question = json.loads(arguments.child)
    if not question:
        write_json(_survey(), arguments.out)
        return 0
    asked = Asked(**question)
    if arguments.memory_gb and asked.device == CPU:
        limit = int(arguments.memory_gb * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    from gliomaai_training.inference.engines import is_out_of_memory

    try:
        write_json(asdict(_figures(asked, arguments)), arguments.out)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        limit_gb = f" of {arguments.memory_gb:.1f} GB" if asked.device == CPU else ""
        raise SystemExit(f"does not fit into the memory{limit_gb}") from None
    return 0


def _survey() -> dict[str, Any]:
    """What there is to measure, and with what."""
    import torch
    from benchmark_steps import MONAI, OURS, versions

    from gliomaai_training.training.distributed import reduced_precision

    devices = {CPU: platform.processor() or platform.machine()}
    if torch.cuda.is_available():
        devices[GPU] = torch.cuda.get_device_name()
    reduced = {name: reduced_precision(torch.device(name)) for name in devices}
    return {
        "ours": list(OURS),
        "baselines": list(MONAI),
        "devices": devices,
        "precision": {name: "bf16" if yes else "float32" for name, yes in reduced.items()},
        "versions": versions(),
    }


def _figures(asked: Asked, arguments: argparse.Namespace) -> Measured:
    import torch
    from benchmark_steps import Patient, build_step

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    on_gpu = asked.device == GPU
    libraries_gb = 0.0 if on_gpu else peak_gb()
    patient = Patient.random(arguments.edge, torch.device(asked.device))
    step, parameters = build_step(asked.network, asked.work == TRAINING, patient)
    clock = _clock_s if on_gpu else cpu_s
    step()
    seconds = tuple(clock(step) for _ in range(arguments.times))
    peak = torch.cuda.max_memory_allocated() / 1e9 if on_gpu else peak_gb()
    return Measured(parameters, seconds, peak, libraries_gb)


def _clock_s(work: Callable[[], object]) -> float:
    """Seconds until the GPU is done."""
    import torch

    torch.cuda.synchronize()
    begin = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begin


def _markdown(rounds: Rounds, found: Mapping[str, Any], arguments: argparse.Namespace) -> str:
    """A table for each device and work, and what it was measured with."""
    libraries = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [
        f"Cube of {arguments.edge} voxels, batch of one; median (range) of {arguments.rounds} "
        f"rounds; {libraries}.",
    ]
    for device, work in product(found["devices"], WORKS):
        lines += [
            "",
            f"**{work}, {device}** ({found['devices'][device]}, {found['precision'][device]})",
            "",
            "| network | million parameters | "
            + ("CPU-s" if device == CPU else "ms")
            + "".join(f" | times {name}" for name in found["baselines"])
            + " | peak GB | of that libraries |",
            "|-|-|-|" + "-|" * len(found["baselines"]) + "-|-|",
        ]
        for network in (*found["ours"], *found["baselines"]):
            lines.append(_row(Asked(network, work, device), rounds, found["baselines"]))
    return "\n".join(lines) + "\n"


def _row(one: Asked, rounds: Rounds, baselines: Sequence[str]) -> str:
    done = [told for told in rounds[one] if isinstance(told, Measured)]
    if not done:
        cells = ["", str(rounds[one][0]), *[""] * (len(baselines) + 2)]
    else:
        scale = 1.0 if one.device == CPU else 1000.0
        cells = [
            f"{done[0].parameters / 1e6:.2f}",
            _spread([scale * told.median_s for told in done]),
            *(_spread(_ratios(one, baseline, rounds)) for baseline in baselines),
            _spread([told.peak_gb for told in done]),
            f"{done[0].libraries_gb:.2f}" if one.device == CPU else "",
        ]
    return f"| {one.network} | {' | '.join(cells)} |"


def _ratios(one: Asked, baseline: str, rounds: Rounds) -> list[float]:
    """How many times as long as a baseline in the same round."""
    other = rounds[Asked(baseline, one.work, one.device)]
    return [
        ours.median_s / theirs.median_s
        for ours, theirs in zip(rounds[one], other, strict=True)
        if isinstance(ours, Measured) and isinstance(theirs, Measured)
    ]


def _spread(values: Sequence[float]) -> str:
    """Median (range)."""
    if not values:
        return ""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _report(
    rounds: Rounds, found: Mapping[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    settings = {name: getattr(arguments, name) for name in OPTIONS}
    return {
        "settings": settings | {"rounds": arguments.rounds},
        **found,
        "measurements": [
            {
                **asdict(one),
                "rounds": [asdict(x) if isinstance(x, Measured) else x for x in told],
                "times": {name: _ratios(one, name, rounds) for name in found["baselines"]},
            }
            for one, told in rounds.items()
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
