"""One training step and one inference of a network: of ours in its sizes, and of MONAI's.

Imports torch and MONAI, which a process that measures memory must have done before it begins.
"""

from collections.abc import Callable
from dataclasses import dataclass

import monai
import torch
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.swin_unetr import SwinUNETR
from torch import Tensor, nn

from gliomaai_training.data.batch import Sample, Targets
from gliomaai_training.data.targets import CLASSES, PatientTargets, unknown_targets
from gliomaai_training.inference.engines import channels_last
from gliomaai_training.losses.segmentation import segmentation_loss
from gliomaai_training.networks.multitask import (
    SIZES,
    MultiTaskNetwork,
    MultiTaskNetworkConfig,
    View,
)
from gliomaai_training.training.config import OptimiserConfig
from gliomaai_training.training.distributed import reduced_precision
from gliomaai_training.training.objectives.config import MultiTaskObjectiveConfig
from gliomaai_training.training.objectives.multitask import MultiTaskObjective
from gliomaai_training.vocabulary import SEQUENCES, Label

OURS = {f"multi-task, {size}": size for size in SIZES}
MONAI: dict[str, Callable[[], nn.Module]] = {
    "SegResNet": lambda: SegResNet(
        init_filters=16, in_channels=len(SEQUENCES), out_channels=len(Label), dropout_prob=0.2
    ),
    "SwinUNETR": lambda: SwinUNETR(len(SEQUENCES), len(Label), feature_size=48),
}
DEEP_SUPERVISION = 0.4
"""Weight of the coarse output's loss, as in the recipes."""
Step = Callable[[], object]


@dataclass(frozen=True)
class Patient:
    """A cube of noise with every label in it."""

    images: Tensor
    """(1, 4, n, n, n)"""
    labels: Tensor
    """(1, n, n, n) int64."""

    @classmethod
    def random(cls, edge: int, device: torch.device) -> "Patient":
        """One of so many voxels along each side."""
        generator = torch.Generator().manual_seed(0)
        cube = (1, edge, edge, edge)
        images = torch.randn(1, len(SEQUENCES), *cube[1:], generator=generator)
        labels = torch.randint(0, len(Label), cube, generator=generator)
        return cls(images.to(device), labels.to(device))

    def sample(self) -> Sample:
        """A batch of one, of whom everything is known, images channels-last."""
        state = torch.arange(len(CLASSES["state"])) == 0
        known = {**unknown_targets().possible, "state": state.numpy()}
        targets = Targets.of("patient", PatientTargets(known, months=12.0, event=True))
        present = torch.ones(1, len(SEQUENCES), dtype=torch.bool)
        sample = Sample(self.images, present, self.labels, targets=targets)
        return sample.to(self.images.device)


def versions() -> dict[str, str]:
    """Of the libraries that the figures depend on."""
    return {"torch": torch.__version__, "monai": monai.__version__}


def build_step(network: str, training: bool, patient: Patient) -> tuple[Step, int]:
    """Builds a network where the patient lies.

    Args:
        network: of `OURS` or `MONAI`.
        training: a step of training, or an inference.
        patient: whom it reads.

    Returns:
        What to measure, and how many parameters the network has.
    """
    built = _ours(network, patient) if network in OURS else _monai(network, patient)
    parameters = sum(one.numel() for one in built.module.parameters())
    device = patient.images.device
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=reduced_precision(device))
    return (_training if training else _inference)(built, autocast), parameters


@dataclass(frozen=True)
class _Built:
    """A network that knows its patient."""

    module: nn.Module
    """What learns."""
    loss: Callable[[], Tensor]
    answer: Callable[[], object]


def _ours(network: str, patient: Patient) -> _Built:
    config = MultiTaskNetworkConfig(
        segmentation=SIZES[OURS[network]], global_branch=True, tasks=("state", "risk")
    )
    device, sample = patient.images.device, patient.sample()
    ours = channels_last(MultiTaskNetwork(config).to(device))
    objective = MultiTaskObjective(ours, MultiTaskObjectiveConfig(), DEEP_SUPERVISION).to(device)

    def answer() -> object:
        logits, maps = ours.segment(View(sample.images, sample.present))
        return ours.read(maps, torch.softmax(logits, 1))

    return _Built(objective, lambda: objective(sample, done=0.5).total, answer)


def _monai(network: str, patient: Patient) -> _Built:
    theirs = MONAI[network]().to(patient.images.device)
    return _Built(
        theirs,
        lambda: segmentation_loss(theirs(patient.images), patient.labels),
        lambda: theirs(patient.images),
    )


def _training(built: _Built, autocast: torch.autocast) -> Step:
    config = OptimiserConfig()
    learning = [one for one in built.module.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learning, config.learning_rate, weight_decay=config.weight_decay)
    built.module.train()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with autocast:
            loss = built.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, config.clip_norm)
        optimiser.step()

    return step


def _inference(built: _Built, autocast: torch.autocast) -> Step:
    built.module.eval()

    def step() -> object:
        with torch.inference_mode(), autocast:
            return built.answer()

    return step
