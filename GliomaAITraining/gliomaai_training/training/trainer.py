"""The training loop: whatever the objective, one step at a time."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from gliomaai_training.data.batch import Sample, collate
from gliomaai_training.data.case_store import coarsened
from gliomaai_training.data.dataset import SamplingConfig, TrainingDataset, TrainingPatients
from gliomaai_training.evaluation.run_pack import voxel_of
from gliomaai_training.evaluation.segmentation_metrics import dice
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import EngineChoice, TorchEngine, channels_last
from gliomaai_training.inference.multitask_engine import MultiTaskEngine
from gliomaai_training.inference.postprocessing import nested_labels
from gliomaai_training.inference.runner import NetworkRunner
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.training.cases import TrainingCases
from gliomaai_training.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from gliomaai_training.training.config import FitConfig, OptimiserConfig, PhaseConfig
from gliomaai_training.training.distributed import Processes, reduced_precision
from gliomaai_training.training.learning_curve import LOG, LearningCurve
from gliomaai_training.training.objectives.build import build_objective
from gliomaai_training.training.objectives.objective import Objective, SegmentationObjective
from gliomaai_training.training.schedule import learning_rate
from gliomaai_training.vocabulary import REGIONS

logger = logging.getLogger(__name__)

LOG_EVERY_STEPS = 10


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
        if initial is not None:
            network.load_state_dict(initial)
        channels_last(network)
        self._objective = build_objective(network, config).to(processes.device)
        self._average = AveragedModel(
            network, multi_avg_fn=get_ema_multi_avg_fn(config.optimiser.average_decay)
        )
        self._optimiser = _optimiser(self._objective, config.optimiser)
        self._parallel: nn.Module = self._objective
        if processes.count > 1:
            whole = isinstance(self._objective, SegmentationObjective)
            self._parallel = DistributedDataParallel(
                self._objective, find_unused_parameters=not whole
            )
        self._bf16 = reduced_precision(processes.device)
        self._step, self._finished = 0, False
        self._best_score, self._stale = -1.0, 0
        self._resume()

    def fit(self) -> None:
        """Trains until the configured steps are done or validation stops improving."""
        if self._finished:
            return
        started = time.monotonic()
        curve = LearningCurve(self._folder / LOG if self._processes.is_first else None)
        self._parallel.train()
        for samples in self._samples():
            curve.add(self._train_step(samples))
            self._step += 1
            last = self._step == self._config.steps
            validated = self._cases.validation and (
                last or self._step % self._config.validate_every_steps == 0
            )
            scores = self._validate() if validated else {}
            if self._step % LOG_EVERY_STEPS == 0 or last or validated:
                self._log(curve, time.monotonic() - started, scores)
            stop = bool(scores) and self._is_stale(float(np.mean(list(scores.values()))))
            if last or stop or self._step % self._config.checkpoint_every_steps == 0:
                self._save(finished=last or stop)
            if stop:
                logger.info("no better validation for %s rounds: stopped", self._config.patience)
                return

    def _samples(self) -> Iterator[list[Sample]]:
        """The batches of every step still to come, phase by phase, each process its own share."""
        first_step = first_sample = 0
        for phase in self._config.phases:
            per_step = phase.batch_size * phase.batches_per_step
            done = max(0, self._step - first_step)
            first_step += phase.steps
            begin = first_sample
            first_sample += phase.steps * self._processes.count * per_step
            if done >= phase.steps:
                continue
            positions = [
                begin + (step * self._processes.count + self._processes.rank) * per_step + item
                for step in range(done, phase.steps)
                for item in range(per_step)
            ]
            batches = iter(self._loader(phase, positions))
            for _ in range(done, phase.steps):
                yield [next(batches) for _ in range(phase.batches_per_step)]

    def _loader(self, phase: PhaseConfig, positions: list[int]) -> "DataLoader[Sample]":
        voxel_mm, training = phase.voxel_mm or self._config.voxel_mm, self._cases.training
        cases = [coarsened(case, voxel_mm) for case in training.cases]
        patients = TrainingPatients(cases, training.weights, training.targets)
        workers = self._config.loader_workers
        return DataLoader(
            TrainingDataset(patients, self._sampling(phase), self._config.augmentation),
            batch_size=phase.batch_size,
            sampler=positions,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    def _sampling(self, phase: PhaseConfig) -> SamplingConfig:
        has_global_branch = bool(self._config.network.get("global_branch"))
        return SamplingConfig(
            crop=phase.crop,
            multiple=self._objective.network.stride,
            keep_all=phase.keep_all,
            tumour_centred=self._config.tumour_centred,
            seed=self._config.seed,
            two_subsets=self._objective.compares_subsets,
            whole_beside_crop=has_global_branch and phase.crop is not None,
            cutmix_probability=self._config.cutmix_probability,
        )

    def _train_step(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Changes the weights once.

        Returns:
            The loss and its parts, means over the batches.
        """
        # Dropout and chance depend on the step alone, so that a resumed run repeats nothing.
        torch.manual_seed(
            (self._config.seed * 1_000_003 + self._step) * self._processes.count
            + self._processes.rank
        )
        rate = learning_rate(self._step, self._config.steps, self._config.optimiser)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        self._optimiser.zero_grad(set_to_none=True)
        told = [
            self._backward(sample, share=1 / len(samples), last=number == len(samples))
            for number, sample in enumerate(samples, start=1)
        ]
        nn.utils.clip_grad_norm_(self._objective.parameters(), self._config.optimiser.clip_norm)
        self._optimiser.step()
        self._average.update_parameters(self._objective.network)
        return {name: float(np.mean([one[name] for one in told])) for name in told[0]}

    def _backward(self, sample: Sample, share: float, last: bool) -> dict[str, float]:
        """Adds a batch's gradient; processes exchange theirs with the last one of a step."""
        device = self._processes.device
        with nullcontext() if last else self._without_exchange():
            with torch.autocast(device.type, torch.bfloat16, enabled=self._bf16):
                losses = self._parallel(sample.to(device), self._step / self._config.steps)
            if not torch.isfinite(losses.total):
                raise FloatingPointError(f"the loss is {losses.total.item()} at step {self._step}")
            (losses.total * share).backward()
        return {"loss": losses.total.item()} | {
            name: part.item() for name, part in losses.parts.items()
        }

    def _without_exchange(self) -> AbstractContextManager[None]:
        if isinstance(self._parallel, DistributedDataParallel):
            return self._parallel.no_sync()
        return nullcontext()

    def _validate(self) -> dict[str, float]:
        """Mean Dice by region over the validation cases, whole brains, averaged weights."""
        engine = EngineConfig(engine="torch")
        coarser = self._config.voxel_mm / voxel_of(self._cases.validation)
        runner = NetworkRunner(self._open_average, engine, coarser)
        scores: dict[str, list[float]] = {region: [] for region in REGIONS}
        for case in self._cases.validation:
            predicted = nested_labels(runner.probabilities(case.normalised(), case.present))
            for region, labels in REGIONS.items():
                truth = np.isin(case.labels, labels)
                scores[region].append(dice(np.isin(predicted, labels), truth))
        return {region: float(np.mean(values)) for region, values in scores.items()}

    def _open_average(self, choice: EngineChoice) -> TorchEngine:
        network = self._average.module
        if isinstance(network, MultiTaskNetwork):
            return MultiTaskEngine(network, choice, threads=None)
        return TorchEngine(network, choice, threads=None)

    def _is_stale(self, score: float) -> bool:
        improved = score > self._best_score
        self._best_score = max(score, self._best_score)
        self._stale = 0 if improved else self._stale + 1
        return self._config.patience is not None and self._stale >= self._config.patience

    def _log(self, curve: LearningCurve, seconds: float, scores: Mapping[str, float]) -> None:
        told = curve.write(self._step, seconds, self._optimiser.param_groups[0]["lr"], scores)
        if self._processes.is_first:
            words = ", ".join(f"{name} {value:.3f}" for name, value in {**told, **scores}.items())
            logger.info("step %d of %d, %s", self._step, self._config.steps, words)

    def _save(self, finished: bool) -> None:
        if not self._processes.is_first:
            return
        prefix = "network."
        whole = self._objective.state_dict()
        checkpoint = Checkpoint(
            step=self._step,
            network=self._objective.network.state_dict(),
            average=self._average.state_dict(),
            optimiser=self._optimiser.state_dict(),
            best_score=self._best_score,
            stale_validations=self._stale,
            network_settings=dict(self._config.network),
            objective={k: v for k, v in whole.items() if not k.startswith(prefix)},
            finished=finished,
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
        network = {f"network.{name}": value for name, value in checkpoint.network.items()}
        self._objective.load_state_dict(network | checkpoint.objective)
        self._average.load_state_dict(checkpoint.average)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        self._step, self._finished = checkpoint.step, checkpoint.finished
        self._best_score = checkpoint.best_score
        self._stale = checkpoint.stale_validations
        logger.info("going on from step %d", self._step)


def _optimiser(objective: Objective, config: OptimiserConfig) -> torch.optim.Optimizer:
    """AdamW; norms, biases and the balance of losses do not decay."""
    learning = [p for p in objective.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "factor": 1.0},
        {"params": [p for p in learning if p.ndim == 1], "factor": 1.0, "weight_decay": 0.0},
        {
            "params": [p for p in learning if p.ndim == 0],
            "factor": config.balance_factor,
            "weight_decay": 0.0,
        },
    ]
    groups = [group for group in groups if group["params"]]
    rate, decay = config.learning_rate, config.weight_decay
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay)
