"""Does a saliency map depend on what the network learnt? (Adebayo 2018)

Layers get the weights of an untrained network: one after the other from the answer down to the
images ("cascading"), and each alone ("independent"). A map that stays what it was shows the images
and not the network. Two rank correlations tell how much of the map is left: of its values, and of
their magnitudes. The second never falls to nothing, as bright voxels stay bright and the outline
that features are pooled in stays where it is.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gliomaai_training.interpretation.answers import Shown, own_mask
from gliomaai_training.interpretation.explanations import MapCheck, SanityLimits, Target
from gliomaai_training.interpretation.saliency import integrated_gradients
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.progress import Progress, silent

Explain = Callable[[MultiTaskNetwork, Shown], NDArray[np.float32]]
"""A saliency map (4, z, y, x) of one patient."""

Order = Literal["cascading", "independent"]

STAGE = "sanity check"


@dataclass(frozen=True)
class Randomised:
    """How much of the maps is left when layers lose what they learnt; means over the patients."""

    order: Order
    layer: str
    """The last that lost its weights; in cascading order all above it have, too."""
    values: float
    """Spearman's correlation over the brain's voxels with the map of the trained network."""
    magnitudes: float
    """The same of the absolute values."""


@dataclass(frozen=True)
class SanityCheck:
    """Rank correlations of maps before and after randomisation."""

    target: Target
    patients: int
    rows: tuple[Randomised, ...]
    limits: SanityLimits = field(default_factory=SanityLimits)

    @property
    def passes(self) -> bool:
        """Whether the maps are gone when everything that was learnt is."""
        last = [row for row in self.rows if row.order == "cascading"][-1]
        return MapCheck(last.values, last.magnitudes, self.limits).passes

    def table(self) -> pd.DataFrame:
        """A row for each randomisation, as reports print it."""
        return pd.DataFrame(
            {
                "randomised": [row.order for row in self.rows],
                "layer": [row.layer for row in self.rows],
                "rank correlation": [f"{row.values:.2f}" for row in self.rows],
                "of magnitudes": [f"{row.magnitudes:.2f}" for row in self.rows],
            }
        )


def sanity_check(
    network: MultiTaskNetwork,
    patients: Sequence[Shown],
    target: Target,
    generator: torch.Generator,
    explain: Explain | None = None,
    progress: Progress = silent,
) -> SanityCheck:
    """Randomises the network's layers and compares the maps.

    The outlines that features are pooled with stay those of the trained network.

    Args:
        network: trained; it is not changed.
        patients: whose maps are compared.
        target: the answer that is explained.
        generator: of the untrained weights, on the CPU.
        explain: the method; integrated gradients with the usual steps if None.
        progress: called before each map.

    Raises:
        ValueError: no patients, or a map of the trained network is the same everywhere.
        Cancelled: by `progress`.
    """
    if not patients:
        raise ValueError("a sanity check needs patients")
    method = explain or (lambda net, shown: integrated_gradients(net, shown, target).map)
    held = [Shown(one.view, own_mask(network, one), one.temperatures) for one in patients]
    trained = [_inside(method(network, one), one) for one in held]
    if any(np.ptp(one) == 0 for one in trained):
        raise ValueError(f"the saliency of {target.name!r} is the same everywhere")
    untrained = _untrained(network, generator).state_dict()
    plan = _plan(network)
    rows = []
    for number, (order, layer, prefixes) in enumerate(plan):
        randomised = copy.deepcopy(network)
        chosen = {name: one for name, one in untrained.items() if name.startswith(prefixes)}
        randomised.load_state_dict(chosen, strict=False)
        found: list[tuple[float, float]] = []
        for patient, before in zip(held, trained, strict=True):
            progress(STAGE, (number + len(found) / len(held)) / len(plan))
            after = _inside(method(randomised, patient), patient)
            found.append((_spearman(before, after), _spearman(abs(before), abs(after))))
        values, magnitudes = np.mean(found, axis=0)
        rows.append(Randomised(order, layer, float(values), float(magnitudes)))
    progress(STAGE, 1.0)
    return SanityCheck(target, len(held), tuple(rows))


def map_check(
    network: MultiTaskNetwork,
    patient: Shown,
    saliency: NDArray[np.float32],
    generator: torch.Generator,
    explain: Explain,
) -> MapCheck:
    """The last step of the cascade alone, for a map that is at hand: every weight is untrained.

    Args:
        network: that gave the map; it is not changed.
        patient: whose map it is, with the mask that was held.
        saliency: the map (4, z, y, x).
        generator: of the untrained weights, on the CPU.
        explain: what made the map.

    Raises:
        ValueError: the map is the same everywhere, or the patient comes without a mask.
        Cancelled: by `explain`.
    """
    if patient.mask is None:
        raise ValueError("an untrained network draws no outline: give the one that was held")
    before = _inside(saliency, patient)
    if np.ptp(before) == 0:
        raise ValueError("the map is the same everywhere: there is nothing to check")
    untrained = _untrained(network, generator).to(patient.view.images.device)
    after = _inside(explain(untrained, patient), patient)
    return MapCheck(_spearman(before, after), _spearman(abs(before), abs(after)))


def layers(network: MultiTaskNetwork) -> dict[str, tuple[str, ...]]:
    """The layers between answer and images, the answer's first: name and prefixes of parameters.

    The decoders are not among them: they draw the outline, which is held.
    """
    found: dict[str, tuple[str, ...]] = {"heads": ("heads.",)}
    if network.whole is not None:
        found["global fusion"] = ("fusions.0.",)
        found["global branch"] = ("whole.encoder.",)
    found["Transformer"] = ("local.encoder.transformer.",)
    for level in reversed(range(len(network.config.segmentation.widths))):
        found[f"stage at stride {2 ** (level + 1)}"] = (f"local.encoder.stages.{level}.",)
    found["fusion of sequences"] = ("local.encoder.fusion.",)
    found["branches of sequences"] = ("local.encoder.branches.",)
    names = [name for name, _ in network.named_parameters()]
    return {
        layer: prefixes
        for layer, prefixes in found.items()
        if any(name.startswith(prefixes) for name in names)
    }


def _plan(network: MultiTaskNetwork) -> list[tuple[Order, str, tuple[str, ...]]]:
    """What is randomised, in which order."""
    found: list[tuple[Order, str, tuple[str, ...]]] = []
    above: tuple[str, ...] = ()
    for layer, prefixes in layers(network).items():
        above = (*above, *prefixes)
        found.append(("cascading", layer, above))
    return [*found, *(("independent", *one) for one in layers(network).items())]


def _untrained(network: MultiTaskNetwork, generator: torch.Generator) -> MultiTaskNetwork:
    """The same network as it began; torch's own random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return MultiTaskNetwork(network.config)


def _inside(saliency: NDArray[np.float32], patient: Shown) -> NDArray[np.float32]:
    """The map where there is something to see in the present sequences."""
    view = patient.view
    seen = (view.images[0] != 0) & view.present[0][:, None, None, None]
    return np.asarray(saliency[seen.cpu().numpy()])


def _spearman(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """0 for a map that is the same everywhere: nothing of the other is left in it."""
    from scipy import stats

    if np.ptp(other) == 0:
        return 0.0
    return float(stats.spearmanr(one, other).statistic)
