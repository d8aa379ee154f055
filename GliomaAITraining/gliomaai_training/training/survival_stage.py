"""The log-risk head, fitted to all patients at once on features that no longer change.

A batch of whole brains holds too few patients to compare; with the rest of the network frozen its
vectors are computed once, and every step sees the whole cohort.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gliomaai_training.data.case_store import StoredCase, coarsened
from gliomaai_training.data.dataset import TrainingPatients
from gliomaai_training.data.sequence_dropout import draw_present
from gliomaai_training.inference.monte_carlo import drawn_vector
from gliomaai_training.losses.survival import FollowedRisks, cox_loss, ranking_loss
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.training.checkpoint import load_checkpoint, save_finished
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.distributed import Processes
from gliomaai_training.training.learning_curve import LOG, LearningCurve
from gliomaai_training.training.objectives.config import SurvivalObjectiveConfig
from gliomaai_training.training.objectives.multitask import RANKING, RISK
from gliomaai_training.training.objectives.objective import view_of_case
from gliomaai_training.training.schedule import learning_rate

logger = logging.getLogger(__name__)

FEATURES = "features.safetensors"
LOG_EVERY_STEPS = 10


def fit_survival(
    config: FitConfig,
    patients: TrainingPatients,
    folder: Path,
    processes: Processes,
    initial: Mapping[str, Tensor] | None,
) -> None:
    """Fits the risk head of a trained network; one process does it, in seconds.

    Args:
        config: of a survival stage; its phases' steps are steps over the whole cohort.
        patients: of whom those with known survival are learned from.
        folder: of the checkpoint, the features and the learning curve.
        processes: this process among those that train together.
        initial: the network's state.

    Raises:
        ValueError: the network has no risk head or nothing to start from, or nobody's survival is
            known.
    """
    checkpoint = load_checkpoint(folder)
    if not processes.is_first or (checkpoint is not None and checkpoint.finished):
        return
    network = build_network(config.network)
    if initial is None or not isinstance(network, MultiTaskNetwork) or RISK not in network.heads:
        raise ValueError("a survival stage needs a trained multitask network with a risk head")
    network.load_state_dict(initial)
    followed = _followed(patients)
    cases = [case for case in patients.cases if case.case in followed]
    vectors = _vectors(network, cases, config, folder / FEATURES, processes.device)
    outcome = FollowedRisks(
        torch.zeros(len(cases)),
        torch.tensor([followed[case.case][0] for case in cases]),
        torch.tensor([followed[case.case][1] for case in cases]),
    )
    _fit_head(network.heads[RISK], vectors, outcome, config, LearningCurve(folder / LOG))
    save_finished(network.state_dict(), config.network, config.steps, folder)


def _objective(config: FitConfig) -> SurvivalObjectiveConfig:
    if not isinstance(config.objective, SurvivalObjectiveConfig):
        raise ValueError(f"a {config.objective.kind} stage is no survival stage")
    return config.objective


def _followed(patients: TrainingPatients) -> dict[str, tuple[float, bool]]:
    targets = patients.targets or {}
    known = {
        name: (one.months, one.event) for name, one in targets.items() if not np.isnan(one.months)
    }
    if not any(event for _, event in known.values()):
        raise ValueError("a survival stage needs a cohort whose clinical table tells of deaths")
    return known


def _vectors(
    network: MultiTaskNetwork,
    cases: Sequence[StoredCase],
    config: FitConfig,
    file: Path,
    device: torch.device,
) -> Tensor:
    """(views, patients, P) what the heads read: all sequences, then random subsets of them.

    They are kept in a file, as the folder belongs to one network and one set of patients.
    """
    if file.is_file():
        return load_file(file)["vectors"]
    views = _objective(config).views
    network = network.to(device).eval()
    rows = []
    for number, case in enumerate(cases):
        generator = np.random.default_rng((config.seed, number))
        read = coarsened(case, config.voxel_mm)
        subsets = [case.present] + [
            draw_present(case.present, 0.0, generator) for _ in range(views - 1)
        ]
        seen = [view_of_case(read, one, network.stride, device) for one in subsets]
        with torch.inference_mode():
            found = [drawn_vector(network, view)[0].float().cpu() for view in seen]
        rows.append(torch.stack(found))
    vectors = torch.stack(rows, 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"vectors": vectors}, file)
    return vectors


def _fit_head(
    head: nn.Module,
    vectors: Tensor,
    outcome: FollowedRisks,
    config: FitConfig,
    curve: LearningCurve,
) -> None:
    """Cox's and the ranking loss over everybody at once, another view of each in every step."""
    objective = _objective(config)
    rate, decay = config.optimiser.learning_rate, config.optimiser.weight_decay
    optimiser = torch.optim.AdamW(head.parameters(), rate, weight_decay=decay)
    head.cpu().train()
    everyone = torch.arange(vectors.shape[1])
    for step in range(config.steps):
        torch.manual_seed(config.seed * 1_000_003 + step)  # of views and dropout
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, config.steps, config.optimiser)
        chosen = torch.randint(len(vectors), everyone.shape)
        risk = head(vectors[chosen, everyone])[:, 0]
        now = FollowedRisks(risk, outcome.months, outcome.event)
        losses = {RISK: cox_loss(now, objective.ties)}
        if objective.ranking:
            losses[RANKING] = ranking_loss(now, objective.ranking)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()
        told = {"loss": total.item()} | {name: one.item() for name, one in losses.items()}
        curve.add(told)
        if (step + 1) % LOG_EVERY_STEPS == 0 or step + 1 == config.steps:
            curve.write(step + 1, 0.0, optimiser.param_groups[0]["lr"], {})
    head.eval()
