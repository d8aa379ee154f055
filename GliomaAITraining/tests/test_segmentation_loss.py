"""Dice and cross-entropy against values worked out by hand."""

import pytest
import torch

from gliomaai_training.losses.segmentation import (
    nested_cross_entropy,
    region_dice_loss,
    segmentation_loss,
)

LABELS = torch.tensor([0, 1, 2, 3, 3, 0, 2, 1]).reshape(1, 2, 2, 2)


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, 4).permute(0, 4, 1, 2, 3).float()


def test_a_perfect_prediction_has_no_dice_loss() -> None:
    assert region_dice_loss(one_hot(LABELS), LABELS).item() == pytest.approx(0.0)


def test_regions_are_sums_of_labels() -> None:
    # NCR and ET exchanged: WT and TC stay perfect, ET (2 voxels) is wholly missed.
    exchanged = torch.tensor([0, 3, 2, 1, 1, 0, 2, 3]).reshape(1, 2, 2, 2)
    expected_et = 1 - (0 + 1.0) / (2 + 2 + 1.0)
    loss = region_dice_loss(one_hot(exchanged), LABELS).item()
    assert loss == pytest.approx(expected_et / 3)


def test_empty_truth_and_prediction_are_no_loss() -> None:
    empty = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    assert region_dice_loss(one_hot(empty), empty).item() == pytest.approx(0.0)


def test_coarse_logits_take_sampled_labels() -> None:
    blocks = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    blocks[:, 2:] = 3
    coarse = torch.zeros(1, 2, 2, 2, dtype=torch.long)
    coarse[:, 1:] = 3
    logits = 20 * one_hot(coarse)
    assert segmentation_loss(logits, blocks).item() == pytest.approx(0.0, abs=1e-4)


def test_gradient_reaches_every_label() -> None:
    logits = torch.zeros(1, 4, 2, 2, 2, requires_grad=True)
    segmentation_loss(logits, LABELS).backward()
    assert (logits.grad.abs().amax(dim=(0, 2, 3, 4)) > 0).all()


def test_nested_cross_entropy_is_the_chain_rule_with_its_second_part_averaged_over_tumour() -> None:
    logits = torch.randn(1, 4, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    plain = torch.nn.functional.cross_entropy(logits, LABELS, reduction="sum")
    healthy = torch.zeros_like(LABELS)
    log_odds = torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]
    found = torch.nn.functional.binary_cross_entropy_with_logits(log_odds, (LABELS > 0).float())
    inside = nested_cross_entropy(logits, LABELS) - found
    assert (8 * found + 6 * inside).item() == pytest.approx(plain.item(), rel=1e-5)
    assert nested_cross_entropy(logits, healthy).item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, healthy).item(), rel=1e-5
    )


def test_necrosis_taken_for_enhancement_is_pulled_back_however_much_background_there_is() -> None:
    labels = torch.zeros(1, 16, 16, 16, dtype=torch.long)
    labels[0, 0, 0, :4] = 1
    logits = 6 * one_hot(torch.where(labels > 0, 3, 0))
    logits.requires_grad_()
    segmentation_loss(logits, labels).backward()
    pull = -logits.grad[0, 1, 0, 0, :4].sum().item()
    assert pull > 0.9
