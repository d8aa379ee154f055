"""All figures of a brain mask network in one table, and a picture of it at work."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
from torch import nn

from gliomaai_training.evaluation.brain_mask import (
    FUSED,
    cpu_seconds,
    evaluate_containment,
    evaluate_outside,
    evaluate_simulated,
    read_series,
    summary,
)
from gliomaai_training.evaluation.brain_mask_reference import evaluate_references
from gliomaai_training.preprocessing.brain_mask import fuse, logit_on, network_logit
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = "evaluation.json"
PICTURE = "brain-mask.png"
PICTURE_SEED = 910_000_000


@dataclass(frozen=True)
class EvaluationConfig:
    """What a brain mask network is evaluated on; what is absent is left out of the table."""

    data: Path | None = None
    """Folder with `lgg_slices`, `dicom/study-01` and `volumes`."""
    heads: int = 100
    """Simulated heads held out."""


def evaluate_brain_mask(
    network: nn.Module, config: EvaluationConfig, progress: Progress = silent
) -> dict[str, Any]:
    """Every figure of the model card, ready for JSON.

    Raises:
        FileNotFoundError: the data folder lacks a part.
    """
    figures: dict[str, Any] = {
        "simulated_dice": summary(evaluate_simulated(network, config.heads, progress).dice)
    }
    if config.data is None:
        return figures
    contained = evaluate_containment(network, config.data / "lgg_slices", progress).by_sequence
    figures["tumour_inside"] = {
        name: summary(list(values.values())) for name, values in contained.items()
    }
    figures["tumour_inside_patients"] = dict(sorted(contained[FUSED].items()))
    figures["reference_dice"] = evaluate_references(network, config.data)
    series = read_series(config.data / "dicom" / "study-01")
    figures["study"] = _study(network, series)
    stripped: dict[str, float] = {}
    files = _volumes(config.data / "volumes")
    for index, (name, file) in enumerate(files.items()):
        progress("stripped volumes", index / len(files))
        image = sitk.ReadImage(str(file), sitk.sitkFloat32)
        stripped |= evaluate_outside(network, {name: image})
    figures["outside_share"] = {
        "stripped_largest": max(stripped.values()),
        "stripped_count": len(stripped),
        "raw_smallest": min(evaluate_outside(network, series).values()),
    }
    figures["cpu_seconds"] = {"study": cpu_seconds(network, list(series.values()))}
    return figures


def _study(network: nn.Module, series: Mapping[str, sitk.Image]) -> dict[str, Any]:
    """Agreement of a study's sequences, by the geometry of their headers alone."""
    grid = Grid.of(next(iter(series.values())))
    logits = {name: logit_on(network_logit(network, image), grid) for name, image in series.items()}
    fused = fuse(logits)
    return {
        "volume_ml": fused.volume_ml,
        "dice": {f"{one}, {other}": dice for (one, other), dice in fused.agreement.items()},
        "volumes_ml": {name: fuse({name: logit}).volume_ml for name, logit in logits.items()},
    }


def _volumes(folder: Path) -> dict[str, Path]:
    files = sorted(folder.glob("*/*.nii.gz"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no volumes")
    return {f"{file.parent.name}/{file.name}": file for file in files if "seg" not in file.name}


def write_figures(figures: Mapping[str, Any], folder: Path) -> Path:
    """Writes the table as JSON; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FIGURES
    file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return file


def draw_picture(network: nn.Module, figures: Mapping[str, Any], log: Path, folder: Path) -> Path:
    """Simulated heads with true and found masks, the learning curve, and expert tumours inside.

    Args:
        network: the network.
        figures: from `evaluate_brain_mask`.
        log: the training's log, one JSON object a line.
        folder: where the picture goes.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 6, figsize=(12, 6.6), constrained_layout=True)
    for index, axis in enumerate(axes[:2].ravel()):
        _draw_head(network, PICTURE_SEED + index // 3, index % 3, axis)
    for axis in axes[2]:
        axis.remove()
    grid = axes[0, 0].get_gridspec()
    _draw_curve(log, figure.add_subplot(grid[2, :3]))
    _draw_contained(figures, figure.add_subplot(grid[2, 3:]))
    file = folder / PICTURE
    figure.savefig(file, dpi=110)
    plt.close(figure)
    return file


def _draw_head(network: nn.Module, seed: int, plane: int, axis: "Axes") -> None:
    from gliomaai_training.evaluation.brain_mask import sample_image
    from gliomaai_training.simulation.head_acquisition import draw_sample

    sample = draw_sample(seed)
    logit = sitk.GetArrayFromImage(network_logit(network, sample_image(sample))).transpose(2, 1, 0)
    normal = (2, 0, 1)[plane]
    where = [n // 2 for n in sample.image.shape]
    slices = [
        np.take(volume, where[normal], axis=normal).T
        for volume in (sample.image.numpy(), sample.target.numpy(), logit)
    ]
    axis.imshow(slices[0], cmap="gray", origin="lower", vmin=0, vmax=1.1)
    axis.contour(slices[1], [0.5], colors="deepskyblue", linewidths=1.4)
    axis.contour(slices[2], [0.0], colors="orangered", linewidths=0.9)
    axis.axis("off")


def _draw_curve(log: Path, axis: "Axes") -> None:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    axis.plot([line["step"] for line in lines], [line["loss"] for line in lines], lw=1)
    axis.set(xlabel="step", ylabel="loss", yscale="log", title="training on simulated heads")


def _draw_contained(figures: Mapping[str, Any], axis: "Axes") -> None:
    shares = list(figures.get("tumour_inside_patients", {}).values())
    if not shares:
        axis.set_title("no expert tumours at hand")
        return
    axis.plot(np.sort(shares) * 100, np.arange(1, len(shares) + 1), ".")
    axis.set(
        xlabel="expert tumour inside the fused mask, %",
        ylabel="patients",
        title=f"{len(shares)} patients of TCGA-LGG",
    )
