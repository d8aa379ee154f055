"""Data-parallel training under `torchrun`; without it, one process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from gliomaai_training.inference.engines import has_amx_bf16


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train together."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    def wait_for_all(self) -> None:
        """Returns when every process has come here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def training_processes(device: str = "auto") -> Iterator[Processes]:
    """Joins the processes that `torchrun` started, for the time of the block.

    Args:
        device: `auto` takes CUDA where there is one, `cpu` or `cuda` insist.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    cuda = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ValueError("no CUDA device was found; use --device cpu")
    chosen = torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu")
    if cuda:
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Processes(rank, count, chosen)
        return
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Processes(rank, count, chosen)
    finally:
        distributed.destroy_process_group()


@contextmanager
def first_process_first(processes: Processes) -> Iterator[None]:
    """The first process runs the block alone, the others once it is done: for filling a cache."""
    together = processes.count > 1
    if together and not processes.is_first:
        distributed.barrier()
    yield
    if together and processes.is_first:
        distributed.barrier()


def reduced_precision(device: torch.device) -> bool:
    """Whether bf16 arithmetic pays here: on CUDA, and on CPUs with AMX; elsewhere it is slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return has_amx_bf16()
