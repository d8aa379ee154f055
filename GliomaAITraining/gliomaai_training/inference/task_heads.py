"""From feature maps and a mask to what a multi-task network says of diagnosis and survival.

There is one way to an answer: `TaskReader.read`, with the network's mask as it is shown and with a
corrected one alike, so that a mask without changes gives the same numbers to the last digit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.inference.model_pack import ModelPack
from gliomaai_training.inference.multitask_pack import MultiTaskSettings
from gliomaai_training.inference.task_features import TaskFeatures
from gliomaai_training.interpretation.explanations import RISK
from gliomaai_training.vocabulary import WHO_GRADES

if TYPE_CHECKING:
    from torch import Tensor

    from gliomaai_training.networks.multitask import MultiTaskNetwork


@dataclass(frozen=True, eq=False)
class TaskPrediction:
    """What the heads say of one patient."""

    probabilities: Mapping[str, Mapping[str, float]]
    """Calibrated, by task and by the names of `data.targets.CLASSES`; each task's sum to 1."""
    log_risk: float | None
    """Higher is worse; None without such a head."""
    vector: NDArray[np.float32]
    """What the heads read: deep features."""


def state_marginals(states: Mapping[str, float]) -> dict[str, float]:
    """What probabilities of the labels say of IDH, 1p/19q and grade; they fit together.

    A tumour that is not elsewhere classified is IDH-wildtype, not co-deleted, and of no WHO 2021
    grade, so that the grades sum to one less its probability.

    Args:
        states: by `diagnosis.states.LABELS`, or some of them.
    """
    facts = fact_probabilities(np.array([states.get(label, 0.0) for label in LABELS]))
    grades = zip(WHO_GRADES, facts["grade"].tolist(), strict=True)
    return {
        "idh_mutant": float(facts["idh"][1]),
        "codeleted_1p19q": float(facts["codeletion_1p19q"][1]),
        **{f"grade_{grade}": chance for grade, chance in grades},
    }


class TaskReader:
    """The heads of a multi-task pack.

    `network` and `vector` are open for whoever repeats the heads with dropout.
    """

    def __init__(self, pack: ModelPack) -> None:
        """Checks the settings; the heads are loaded at first use.

        Raises:
            ModelPackError: the settings are wrong.
        """
        self.pack = pack
        self.settings = MultiTaskSettings.of(pack)

    @cached_property
    def network(self) -> "MultiTaskNetwork":
        """The whole network on the CPU in float32, in evaluation mode; only its heads are run."""
        return load_network(self.pack)

    def read(self, features: TaskFeatures, labels: NDArray[np.integer[Any]]) -> TaskPrediction:
        """What the heads say where the tumour is as `labels` have it.

        Args:
            features: of this pack's network.
            labels: `vocabulary.Label` values (k, j, i) on the study's common grid.

        Raises:
            ValueError: the features are of another pack or do not fit, the labels lie on another
                grid, or an answer is not finite.
        """
        import torch

        from gliomaai_training.data.targets import CLASSES

        outputs, vector = self._outputs(features, labels)
        if not all(bool(torch.isfinite(one).all()) for one in outputs.values()):
            raise ValueError(f"an answer of model pack {self.pack.name} is not finite")
        probabilities = {}
        for task, temperature in self.settings.temperatures.items():
            chances = torch.softmax(outputs[task][0].double() / temperature, 0).tolist()
            probabilities[task] = dict(zip(CLASSES[task], chances, strict=True))
        log_risk = float(outputs[RISK][0, 0]) if RISK in outputs else None
        return TaskPrediction(probabilities, log_risk, np.asarray(vector[0].numpy(), np.float32))

    def vector(self, features: TaskFeatures, labels: NDArray[np.integer[Any]]) -> "Tensor":
        """What the heads read (1, P); raises as `read`."""
        return self._outputs(features, labels)[1]

    def _outputs(
        self, features: TaskFeatures, labels: NDArray[np.integer[Any]]
    ) -> tuple[Mapping[str, "Tensor"], "Tensor"]:
        import torch

        if features.pack_sha256 != self.pack.sha256:
            raise ValueError(f"the features are of another model pack than {self.pack.name}")
        widths = self.network.config.segmentation.widths
        if tuple(len(one) for one in features.maps) != (widths[-1], widths[-2]):
            raise ValueError(f"the features do not fit the network of {self.pack.name}")
        coarsest, finer = (torch.from_numpy(one.astype(np.float32))[None] for one in features.maps)
        mask = torch.from_numpy(features.mask(labels))[None]
        with torch.inference_mode():
            return self.network.read((coarsest, finer), mask)


def load_network(pack: ModelPack) -> "MultiTaskNetwork":
    """The network of a multi-task pack, ready to run.

    Raises:
        ValueError: the weights do not fit the settings.
    """
    from gliomaai_training.inference.model_pack import ModelPackError
    from gliomaai_training.networks.build import build_network
    from gliomaai_training.networks.multitask import MultiTaskNetwork

    network = build_network(pack.settings["network"])
    if not isinstance(network, MultiTaskNetwork):
        raise ModelPackError(f"model pack {pack.name} holds no multi-task network")
    try:
        network.load_state_dict(pack.weights())
    except RuntimeError as error:  # torch's word for weights of other shapes or names
        raise ModelPackError(
            f"the weights of model pack {pack.name} do not fit its network"
        ) from error
    return network.eval()
