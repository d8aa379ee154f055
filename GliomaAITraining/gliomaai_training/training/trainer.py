"""The training loop of the segmentation network."""

import csv
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from gliomaai_training.data.case_store import StoredCase, coarsened
from gliomaai_training.data.dataset import Sample, SamplingConfig, TrainingDataset, collate
from gliomaai_training.evaluation.segmentation_metrics import dice
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import EngineChoice, TorchEngine, channels_last
from gliomaai_training.inference.postprocessing import nested_labels
from gliomaai_training.inference.runner import NetworkRunner
from gliomaai_training.losses.segmentation import segmentation_loss
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.segmentation import SegmentationNetwork
from gliomaai_training.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from gliomaai_training.training.config import FitConfig, OptimiserConfig, PhaseConfig
from gliomaai_training.training.distributed import Processes, reduced_precision
from gliomaai_training.vocabulary import REGIONS

logger = logging.getLogger(__name__)

LOG = "learning_curve.csv"
LOG_FIELDS = ("step", "seconds", "loss", "learning_rate", *REGIONS)
LOG_EVERY_STEPS = 10


@dataclass(frozen=True)
class TrainingCases:
    """What a run learns from and what it is watched on."""

    training: Sequence[StoredCase]
    weights: Sequence[float]
    """How often each training case is drawn, relative to the others."""
    validation: Sequence[StoredCase]


class Trainer:
    """Trains one network in a folder; an interrupted run goes on from its last checkpoint."""

    def __init__(
        self,
        config: FitConfig,
        cases: TrainingCases,
        folder: Path,
        processes: Processes,
        initial: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Sets the run up where it begins, or where it was interrupted.

        Args:
            config: what to train and how.
            cases: what to learn from.
            folder: of the checkpoints and the learning curve.
            processes: this process among those that train together.
            initial: the network's state to begin with; None begins at random.
        """
        self._config, self._cases = config, cases
        self._folder, self._processes = folder, processes
        torch.manual_seed(config.seed)
        network = build_network(config.network)
        if not isinstance(network, SegmentationNetwork):
            raise ValueError(f"fit trains segmentation networks, not {config.network}")
        if initial is not None:
            network.load_state_dict(initial)
        self._network = channels_last(network.to(processes.device))
        self._average = AveragedModel(
            self._network, multi_avg_fn=get_ema_multi_avg_fn(config.optimiser.average_decay)
        )
        self._optimiser = _optimiser(self._network, config.optimiser)
        self._parallel: nn.Module = _DeepForward(self._network)
        if processes.count > 1:
            self._parallel = DistributedDataParallel(self._parallel)
        self._bf16 = reduced_precision(processes.device)
        self._step, self._best_score, self._stale = 0, -1.0, 0
        self._resume()

    def fit(self) -> None:
        """Trains until the configured steps are done or validation stops improving."""
        started, losses = time.monotonic(), []
        for sample in self._samples():
            losses.append(self._train_step(sample))
            self._step += 1
            last = self._step == self._config.steps
            validated = self._cases.validation and (
                last or self._step % self._config.validate_every_steps == 0
            )
            scores = self._validate() if validated else {}
            if self._step % LOG_EVERY_STEPS == 0 or last or validated:
                self._log(time.monotonic() - started, float(np.mean(losses)), scores)
                losses.clear()
            stop = bool(scores) and self._is_stale(float(np.mean(list(scores.values()))))
            if last or stop or self._step % self._config.checkpoint_every_steps == 0:
                self._save()
            if stop:
                logger.info("no better validation for %s rounds: stopped", self._config.patience)
                return

    def _samples(self) -> Iterator[Sample]:
        """The samples still to come, phase by phase, each process its own share."""
        first_step = first_sample = 0
        for phase in self._config.phases:
            batch = phase.batch_size
            done = max(0, self._step - first_step)
            first_step += phase.steps
            begin = first_sample
            first_sample += phase.steps * self._processes.count * batch
            if done >= phase.steps:
                continue
            dataset = TrainingDataset(
                self._cases_of(phase),
                self._cases.weights,
                self._sampling(phase),
                self._config.augmentation,
            )
            positions = [
                begin + (step * self._processes.count + self._processes.rank) * batch + item
                for step in range(done, phase.steps)
                for item in range(batch)
            ]
            workers = self._config.loader_workers
            yield from DataLoader(
                dataset,
                batch_size=batch,
                sampler=positions,
                collate_fn=collate,
                num_workers=workers,
                persistent_workers=workers > 0,
            )

    def _cases_of(self, phase: PhaseConfig) -> Sequence[StoredCase]:
        voxel_mm = phase.voxel_mm or self._config.voxel_mm
        return [coarsened(case, voxel_mm) for case in self._cases.training]

    def _sampling(self, phase: PhaseConfig) -> SamplingConfig:
        return SamplingConfig(
            crop=phase.crop,
            multiple=self._network.stride,
            keep_all=phase.keep_all,
            tumour_centred=self._config.tumour_centred,
            seed=self._config.seed,
        )

    def _train_step(self, sample: Sample) -> float:
        device = self._processes.device
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self._step, self._config.steps, self._config.optimiser)
        images = sample.images.to(device, memory_format=torch.channels_last_3d)
        labels = sample.labels.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._bf16):
            coarse, fine = self._parallel(images, sample.present.to(device))
        loss = segmentation_loss(fine, labels)
        loss = loss + self._config.deep_supervision * segmentation_loss(coarse, labels)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self._step}")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), self._config.optimiser.clip_norm)
        self._optimiser.step()
        self._average.update_parameters(self._network)
        return loss.item()

    def _validate(self) -> dict[str, float]:
        """Mean Dice by region over the validation cases, whole brains, averaged weights."""
        engine = EngineConfig(engine="torch")
        runner = NetworkRunner(self._open_average, engine, self._config.voxel_mm)
        scores: dict[str, list[float]] = {region: [] for region in REGIONS}
        for case in self._cases.validation:
            predicted = nested_labels(runner.probabilities(case.normalised(), case.present))
            for region, labels in REGIONS.items():
                truth = np.isin(case.labels, labels)
                scores[region].append(dice(np.isin(predicted, labels), truth))
        return {region: float(np.mean(values)) for region, values in scores.items()}

    def _open_average(self, choice: EngineChoice) -> TorchEngine:
        return TorchEngine(self._average.module, choice, threads=None)

    def _is_stale(self, score: float) -> bool:
        improved = score > self._best_score
        self._best_score = max(score, self._best_score)
        self._stale = 0 if improved else self._stale + 1
        return self._config.patience is not None and self._stale >= self._config.patience

    def _log(self, seconds: float, loss: float, scores: Mapping[str, float]) -> None:
        if not self._processes.is_first:
            return
        rate = self._optimiser.param_groups[0]["lr"]
        file = self._folder / LOG
        fresh = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if fresh:
                writer.writerow(LOG_FIELDS)
            dice_cells = [f"{scores[region]:.4f}" if scores else "" for region in REGIONS]
            writer.writerow(
                (self._step, f"{seconds:.0f}", f"{loss:.4f}", f"{rate:.2e}", *dice_cells)
            )
        logger.info(
            "step %d of %d, loss %.3f %s", self._step, self._config.steps, loss, scores or ""
        )

    def _save(self) -> None:
        if not self._processes.is_first:
            return
        checkpoint = Checkpoint(
            step=self._step,
            network=self._network.state_dict(),
            average=self._average.state_dict(),
            optimiser=self._optimiser.state_dict(),
            best_score=self._best_score,
            stale_validations=self._stale,
            network_settings=dict(self._config.network),
        )
        save_checkpoint(checkpoint, self._folder)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self._folder)
        if checkpoint is None:
            return
        if checkpoint.network_settings != self._config.network:
            raise ValueError(
                f"{self._folder} holds a run of another network, {checkpoint.network_settings}; "
                "choose another --out"
            )
        self._network.load_state_dict(checkpoint.network)
        self._average.load_state_dict(checkpoint.average)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        self._step = checkpoint.step
        self._best_score = checkpoint.best_score
        self._stale = checkpoint.stale_validations
        logger.info("going on from step %d", self._step)


class _DeepForward(nn.Module):
    """Lets `DistributedDataParallel` wrap the training form of the forward pass."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.forward_deep(images, present)


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Linear warm-up, then cosine decay to 1 % of the peak at the last step."""
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return config.learning_rate * warmup * (0.01 + 0.99 * cosine)


def _optimiser(network: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """AdamW; norms and biases do not decay."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)
