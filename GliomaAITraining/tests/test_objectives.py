"""What the objectives let learn, and what not: gradients that must be exactly nought."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from multitask_makers import TINY
from torch import Tensor, nn

from gliomaai_training.data.batch import Sample, Targets
from gliomaai_training.data.targets import CLASSES, PatientTargets, unknown_targets
from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.networks.multitask import (
    MultiTaskNetwork,
    MultiTaskNetworkConfig,
    MultiTaskOutput,
    Task,
)
from gliomaai_training.training.objectives.adaptation import (
    AdaptationObjective,
    distillation_loss,
)
from gliomaai_training.training.objectives.config import (
    AdaptationObjectiveConfig,
    MultiTaskObjectiveConfig,
)
from gliomaai_training.training.objectives.multitask import MultiTaskObjective
from gliomaai_training.training.objectives.objective import Objective

HEADS: tuple[Task, ...] = ("idh", "codeletion_1p19q", "grade", "histology", "risk")


def network(*tasks: Task) -> MultiTaskNetwork:
    torch.manual_seed(1)
    config = MultiTaskNetworkConfig(segmentation=TINY, tasks=tasks, hidden_width=4, dropout=0.0)
    return MultiTaskNetwork(config)


def sample(targets: Targets | None = None) -> Sample:
    """A patient with every label, seen through two subsets of the sequences."""
    draw = torch.Generator().manual_seed(2)
    first, second = torch.tensor([[True, True, False, True], [False, True, True, False]])
    return Sample(
        images=torch.randn(1, 4, 16, 16, 16, generator=draw),
        present=first[None],
        labels=torch.randint(0, 4, (1, 16, 16, 16), generator=draw),
        second=second[None],
        targets=targets,
    )


def learnt(module: nn.Module) -> float:
    """How much a module learns."""
    return sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None)


# Unknown labels


@pytest.mark.parametrize("told", HEADS)
def test_a_head_learns_exactly_nothing_of_what_is_unknown(told: Task) -> None:
    known: PatientTargets = unknown_targets()
    if told == "risk":
        known = replace(known, months=8.0, event=True)
    else:
        rows = np.arange(len(CLASSES[told])) == 1
        known = replace(known, possible={**known.possible, told: rows})
    other = replace(unknown_targets(), months=20.0, event=False) if told == "risk" else known
    targets = Targets.joined([Targets.of("P0", known), Targets.of("P1", other)])
    one = sample(targets)
    pair = replace(
        one,
        images=torch.cat([one.images, one.images.flip(2)]),
        present=one.present.expand(2, 4),
        labels=torch.cat([one.labels, one.labels.flip(1)]),
    )
    net = network(*HEADS)
    MultiTaskObjective(net, MultiTaskObjectiveConfig(), 0.4)(pair, 0.5).total.backward()
    assert {task: learnt(head) > 0 for task, head in net.heads.items()} == {
        task: task == told for task in HEADS
    }


# Distillation


def test_the_teacher_of_a_distillation_has_no_gradient() -> None:
    teacher, student = (torch.randn(2, 3, 4, requires_grad=True) for _ in range(2))
    distillation_loss((teacher,), (student,)).backward()
    assert teacher.grad is None
    assert student.grad is not None
    expected = 2 * (student - teacher).detach() / student.numel()
    torch.testing.assert_close(student.grad, expected)


def gradients_of_maps(weight: float) -> list[list[Tensor]]:
    """What reaches the feature maps of the full and of the reduced pathway, in this order."""
    net = network("risk")
    seen: list[tuple[Tensor, ...]] = []

    def keep(_: nn.Module, __: object, output: MultiTaskOutput) -> None:
        for one in output.maps:
            one.retain_grad()
        seen.append(output.maps)

    net.register_forward_hook(keep)
    config = AdaptationObjectiveConfig(least_weight=weight, largest_weight=weight)
    objective: Objective = AdaptationObjective(net, config, 0.4)
    objective(sample(), 0.5).total.backward()
    return [[one.grad for one in maps if one.grad is not None] for maps in seen]


def test_the_full_pathway_learns_its_masks_alone() -> None:
    """Adaptation must not make the full pathway forget what only it sees."""
    (full, reduced), (full_with, reduced_with) = (gradients_of_maps(w) for w in (0.0, 1.0))
    assert len(full) == len(reduced) == 3
    for without, with_distance in zip(full, full_with, strict=True):
        assert torch.equal(without, with_distance)
    for without, with_distance in zip(reduced, reduced_with, strict=True):
        assert not torch.allclose(without, with_distance)


# Coherence


@given(arrays(np.float64, len(LABELS), elements=st.floats(-1e4, 1e4)))
def test_co_deletion_is_never_likelier_than_mutation_for_any_logits(logits: np.ndarray) -> None:
    chances = torch.softmax(torch.from_numpy(logits), 0).numpy()
    facts = fact_probabilities(chances)
    assert facts["codeletion_1p19q"][1] <= facts["idh"][1] + 1e-15
    assert facts["codeletion_1p19q"][1] + facts["grade"][-1] <= 1 + 1e-12


# Seeds


def test_the_same_seed_gives_the_same_features() -> None:
    """Deep features of two trainings in one: a step from the same seed, and one from another."""

    def vector(seed: int) -> Tensor:
        torch.manual_seed(seed)
        config = MultiTaskNetworkConfig(segmentation=TINY, tasks=("state", "risk"), hidden_width=4)
        net = MultiTaskNetwork(config)
        known = replace(unknown_targets(), months=8.0, event=True)
        one = sample(Targets.of("P0", known))
        objective = MultiTaskObjective(net, MultiTaskObjectiveConfig(), 0.4)
        optimiser = torch.optim.AdamW(objective.parameters(), 1e-3)
        objective(one, 0.5).total.backward()
        optimiser.step()
        with torch.no_grad():
            return objective.eval().output(one).vector  # type: ignore[no-any-return]

    assert torch.equal(vector(3), vector(3))
    assert not torch.equal(vector(3), vector(4))
