"""Losses of survival, of labels known in part, and their balance."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gliomaai_training.losses.partial_labels import PartialLabels, partial_cross_entropy
from gliomaai_training.losses.survival import (
    FollowedRisks,
    FollowedVectors,
    Ties,
    VectorBank,
    cox_loss,
    ranking_loss,
)
from gliomaai_training.losses.uncertainty import UncertaintyWeights


def cohort(n: int, seed: int, decimals: int = 3) -> FollowedRisks:
    """Patients whose risk matters; few decimals give ties."""
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=n)
    months = np.round(generator.exponential(20 * np.exp(-risk)), decimals)
    event = generator.random(n) < 0.6
    return FollowedRisks(torch.tensor(risk), torch.tensor(months), torch.tensor(event))


def by_hand(followed: FollowedRisks, ties: Ties) -> float:
    """The definition, death by death."""
    r, t, e = (part.numpy() for part in (followed.risk, followed.months, followed.event))
    total = 0.0
    for time in np.unique(t[e]):
        dying = e & (t == time)
        hazard, own = np.exp(r[t >= time]).sum(), np.exp(r[dying]).sum()
        for place in range(dying.sum()):
            less = own * place / dying.sum() if ties == "efron" else 0.0
            total += np.log(hazard - less)
        total -= r[dying].sum()
    return float(total / e.sum())


@pytest.mark.parametrize(
    ("ties", "decimals", "seed"), list(product(("breslow", "efron"), (3, -1), (1, 2)))
)
def test_cox_loss_is_its_definition(ties: Ties, decimals: int, seed: int) -> None:
    followed = cohort(60, seed, decimals)
    assert float(cox_loss(followed, ties)) == pytest.approx(by_hand(followed, ties), rel=1e-9)


def test_cox_loss_is_least_where_lifelines_fits() -> None:
    from lifelines import CoxPHFitter

    generator = np.random.default_rng(3)
    x = generator.normal(size=(120, 2))
    months = np.round(generator.exponential(np.exp(-x @ [0.8, -0.5]) * 20), 0) + 1
    event = generator.random(120) < 0.7
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(months=months, event=event)
    fitted = CoxPHFitter().fit(frame, "months", "event")
    beta = torch.tensor(fitted.params_.to_numpy(), requires_grad=True)
    followed = FollowedRisks(torch.tensor(x) @ beta, torch.tensor(months), torch.tensor(event))
    loss = cox_loss(followed)
    assert -float(loss.detach()) * event.sum() == pytest.approx(fitted.log_likelihood_, abs=1e-5)
    loss.backward()
    assert beta.grad is not None
    assert beta.grad.abs().max() < 1e-5


@given(st.floats(-300, 300))
def test_cox_loss_is_blind_to_a_constant(constant: float) -> None:
    followed = cohort(30, 4, 0)
    moved = FollowedRisks(followed.risk + constant, followed.months, followed.event)
    assert float(cox_loss(moved)) == pytest.approx(float(cox_loss(followed)), abs=1e-9)


def test_the_order_of_rows_does_not_matter_and_large_risks_do_not_overflow() -> None:
    followed = cohort(40, 5, -1)
    turned = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    shuffled = FollowedRisks(*(p[turned] for p in (followed.risk, followed.months, followed.event)))
    for ties in ("breslow", "efron"):
        assert float(cox_loss(shuffled, ties)) == pytest.approx(float(cox_loss(followed, ties)))
    far = FollowedRisks(followed.risk * 400, followed.months, followed.event)
    assert torch.isfinite(cox_loss(far))


def test_without_a_death_the_losses_are_0_with_a_gradient() -> None:
    risk = torch.randn(5, requires_grad=True)
    followed = FollowedRisks(risk, torch.arange(5.0), torch.zeros(5, dtype=torch.bool))
    total = cox_loss(followed) + ranking_loss(followed) + ranking_loss(followed, "hinge")
    total.backward()
    assert float(total.detach()) == 0
    assert risk.grad is not None
    assert not risk.grad.any()


def test_ranking_ignores_who_was_censored_first() -> None:
    risk = torch.tensor([3.0, 0.0, -1.0], requires_grad=True)
    months, event = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([False, True, False])
    loss = ranking_loss(FollowedRisks(risk, months, event))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(np.log1p(np.exp(-1.0)))
    assert risk.grad is not None
    assert risk.grad[0] == 0
    hinge = ranking_loss(FollowedRisks(risk.detach() / 2, months, event), "hinge")
    assert float(hinge) == pytest.approx(0.5)


def test_impossible_choices_are_refused() -> None:
    followed = cohort(5, 1)
    with pytest.raises(ValueError, match="breslow or efron, not 'exact'"):
        cox_loss(followed, "exact")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="logistic or hinge, not 'square'"):
        ranking_loss(followed, "square")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one risk, time and event"):
        FollowedRisks(torch.zeros(3), torch.zeros(2), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least one patient, not 0"):
        VectorBank(0)


def vectors_of(followed: FollowedRisks) -> FollowedVectors:
    """Of one feature, the risk itself."""
    return FollowedVectors(followed.risk[:, None].float(), followed.months, followed.event)


def test_a_bank_compares_without_gradient_and_forgets_the_oldest() -> None:
    bank = VectorBank(capacity=4)
    known = cohort(6, 7)
    names = [f"P{i}" for i in range(6)]
    bank.store(names, vectors_of(known))
    assert len(bank) == 4
    vectors = torch.tensor([[0.5], [-0.2]], requires_grad=True)
    batch = FollowedVectors(vectors, torch.tensor([3.0, 9.0]), torch.tensor([True, True]))
    joined = bank.joined(["P5", "new"], batch)  # P5's stored vector is out of date
    assert len(joined.vectors) == 2 + 3
    assert joined.vectors[2:, 0].tolist() == pytest.approx(known.risk[2:5].tolist())
    assert joined.months[2:].tolist() == pytest.approx(known.months[2:5].tolist())
    cox_loss(joined.risks(lambda read: read)).backward()
    assert vectors.grad is not None
    assert vectors.grad.any()
    assert bank.joined(names, batch) is batch


def test_the_banks_risks_are_those_of_the_present_head() -> None:
    bank = VectorBank()
    bank.store(["a", "b"], vectors_of(cohort(2, 3)))
    batch = vectors_of(cohort(1, 4))
    head = torch.nn.Linear(1, 1, bias=False)
    for slope in (1.0, -3.0):
        torch.nn.init.constant_(head.weight, slope)
        joined = bank.joined(["c"], batch)
        torch.testing.assert_close(joined.risks(head).risk, slope * joined.vectors[:, 0])


def test_a_bank_goes_on_where_it_was() -> None:
    bank, again = VectorBank(3), VectorBank(3)
    bank.store(list("abcd"), vectors_of(cohort(4, 5)))
    again.restore(bank.state())
    batch = vectors_of(cohort(1, 6))
    one, other = (stored.joined(["e"], batch) for stored in (bank, again))
    torch.testing.assert_close(one.vectors, other.vectors)


def rows(*possible: tuple[int, ...]) -> Tensor:
    """Classes, of 3, that each patient can have."""
    found = torch.zeros(len(possible), 3, dtype=torch.bool)
    for row, classes in zip(found, possible, strict=True):
        row[list(classes)] = True
    return found


def test_one_known_class_is_plain_cross_entropy_and_two_are_their_sum() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(2))
    plain = torch.nn.functional.cross_entropy(logits, torch.tensor([2, 0]))
    assert torch.allclose(partial_cross_entropy(logits, PartialLabels(rows((2,), (0,)))), plain)
    both = partial_cross_entropy(logits[:1], PartialLabels(rows((0, 2))))
    assert torch.allclose(both, -torch.log(torch.softmax(logits[0], 0)[[0, 2]].sum()))


def test_an_unknown_patient_has_no_gradient_at_all() -> None:
    logits = torch.randn(3, 3, requires_grad=True)
    everything = (0, 1, 2)
    labels = PartialLabels(
        rows((1,), everything, (0,)),
        rows(everything, (1,), everything),
        torch.tensor([1.0, 0.4, 0.3]),
    )
    partial_cross_entropy(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad[0].any()
    assert not logits.grad[1:].any()
    nobody = torch.randn(2, 3, requires_grad=True)
    loss = partial_cross_entropy(nobody, PartialLabels(rows(everything, everything)))
    loss.backward()
    assert float(loss.detach()) == 0


def test_a_mixed_patient_is_shared() -> None:
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(3))
    first, second = rows((0,)), rows((2,))
    mixed = partial_cross_entropy(logits, PartialLabels(first, second, torch.tensor([0.6])))
    soft = -(torch.tensor([0.6, 0.0, 0.4]) * torch.log_softmax(logits[0], 0)).sum()
    assert torch.allclose(mixed, soft)


def test_impossible_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one possible class"):
        PartialLabels(torch.zeros(1, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="boolean"):
        PartialLabels(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="needs a share"):
        PartialLabels(rows((1,)), rows((0,)))


@pytest.mark.parametrize(("balance", "scale"), [("kendall", 1.0), ("published", 0.5)])
def test_learned_weights_equalise_the_tasks(balance: str, scale: float) -> None:
    """Where both stand still, exp(-s) L is 1 (Kendall) or 2 (published), whatever the loss."""
    weights = UncertaintyWeights(["small", "large"], balance)  # type: ignore[arg-type]
    losses = {"small": torch.tensor(0.5), "large": torch.tensor(4.0)}
    optimiser = torch.optim.Adam(weights.parameters(), 0.1)
    for _ in range(400):
        optimiser.zero_grad()
        weights(losses).backward()
        optimiser.step()
    for task, loss in losses.items():
        assert 2 * weights.weight(task) * float(loss) * scale == pytest.approx(1, rel=1e-2)


def test_balance_without_learning_and_wrong_tasks() -> None:
    fixed = UncertaintyWeights(["a", "b"], "fixed")
    assert float(fixed({"a": torch.tensor(1.0), "b": torch.tensor(2.0)})) == 3
    assert fixed.weight("a") == 1
    assert not any(p.requires_grad for p in fixed.parameters())
    with pytest.raises(ValueError, match="not \\['c'\\]"):
        fixed({"c": torch.tensor(1.0)})
    with pytest.raises(ValueError, match="not none"):
        fixed({})
    with pytest.raises(ValueError, match="not 'guess'"):
        UncertaintyWeights(["a"], "guess")  # type: ignore[arg-type]


def test_a_hopeless_task_keeps_a_weight_and_a_gradient() -> None:
    weights = UncertaintyWeights(["a"])
    with torch.no_grad():
        weights.log_variance["a"].fill_(20.0)
    weights({"a": torch.tensor(0.001)}).backward()
    assert weights.weight("a") > 0.02
    gradient = weights.log_variance["a"].grad
    assert gradient is not None
    assert gradient != 0


def test_a_weight_scales_a_patients_loss() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.3, 0.2, 0.1]], requires_grad=True)
    first = rows((0,), (2,))
    plain = [
        partial_cross_entropy(logits[n : n + 1], PartialLabels(first[n : n + 1])) for n in (0, 1)
    ]
    weighted = PartialLabels(first, weight=torch.tensor([1.0, 0.25]))
    expected = (plain[0] + 0.25 * plain[1]) / 2
    assert torch.allclose(partial_cross_entropy(logits, weighted), expected)


def test_labels_join_only_with_their_like() -> None:
    plain, mixed = PartialLabels(rows((0,))), PartialLabels(rows((1,)), rows((2,)), torch.ones(1))
    assert PartialLabels.joined([mixed, mixed]).share is not None
    assert torch.equal(PartialLabels.joined([plain, plain]).first, rows((0,), (0,)))
    with pytest.raises(ValueError, match="what others lack"):
        PartialLabels.joined([plain, mixed])
