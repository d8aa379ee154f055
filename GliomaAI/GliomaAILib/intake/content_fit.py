"""Fits what `content.py` knows of voxels, and reports its accuracy by cross-validation.

    python -m GliomaAILib.intake.content_fit --volumes DIR --slices DIR

DIR of `--volumes` holds one folder a patient with t1, t1gd, t2 and flair as .nii.gz; DIR of
`--slices` holds one .npz a patient with axial slices `t1`, `t1gd` and `flair`, not
skull-stripped and without geometry. Writes `content_weights.py` beside this file.
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.optimize import minimize

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.content import CoarseView, coarse_view, enhancement, features

log = logging.getLogger(__name__)

Matrix = NDArray[np.float64]

RIDGE = 10.0
FOLDS = 10
SLICE_PIXEL_MM = 1.8
HEAD_HEIGHT_MM = 165.0
"""The slice sets have no geometry; these are usual values of such scans."""


def main() -> None:
    """Fits on the folders named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=Path, required=True)
    parser.add_argument("--slices", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    patients = [*_volumes(arguments.volumes), *_slices(arguments.slices)]
    rows = [
        (group, name, features(view)) for group, found in patients for name, view in found.items()
    ]
    kept = [(group, name, vector) for group, name, vector in rows if vector is not None]
    groups = np.array([group for group, _, _ in kept])
    labels = np.array([SEQUENCES.index(name) for _, name, _ in kept])
    matrix = np.array([vector for _, _, vector in kept])
    means, scales = matrix.mean(0), matrix.std(0)
    matrix = (matrix - means) / scales
    _report(_cross_validated(matrix, labels, groups), labels, groups)
    weights, biases = fit_softmax(matrix, labels)
    slope = _pair_slope([found for _, found in patients])
    _write(means, scales, weights, biases, slope)


def fit_softmax(matrix: Matrix, labels: NDArray[np.int_]) -> tuple[Matrix, Matrix]:
    """Ridge-penalised softmax regression with classes weighted alike.

    Args:
        matrix: standardised features, (rows, features).
        labels: class of each row.

    Returns:
        Weights (classes, features) and biases (classes,).
    """
    classes, width = len(SEQUENCES), matrix.shape[1]
    counts = np.bincount(labels, minlength=classes)
    importance = (len(labels) / (classes * np.maximum(counts, 1)))[labels]
    target = np.eye(classes)[labels]

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        theta = flat.reshape(classes, width + 1)
        scores = matrix @ theta[:, :-1].T + theta[:, -1]
        scores -= scores.max(1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        error = importance[:, None] * (np.exp(log_p) - target)
        gradient = np.c_[error.T @ matrix + RIDGE * theta[:, :-1], error.sum(0)]
        value = -(importance * (target * log_p).sum(1)).sum()
        return float(value + 0.5 * RIDGE * (theta[:, :-1] ** 2).sum()), gradient.ravel()

    result = minimize(loss, np.zeros(classes * (width + 1)), jac=True, method="L-BFGS-B")
    theta = result.x.reshape(classes, width + 1)
    return theta[:, :-1], theta[:, -1]


def _volumes(folder: Path) -> Iterator[tuple[str, dict[str, CoarseView]]]:
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        images = {name: case / f"{name}.nii.gz" for name in SEQUENCES}
        yield (
            f"volumes/{case.name}",
            {name: coarse_view(sitk.ReadImage(str(path))) for name, path in images.items()},
        )


def _slices(folder: Path) -> Iterator[tuple[str, dict[str, CoarseView]]]:
    for path in sorted(folder.glob("*.npz")):
        arrays = np.load(path)
        found = {}
        for name in ("t1", "t1gd", "flair"):
            if name != "flair" and np.array_equal(arrays[name], arrays["flair"]):
                continue  # the sequence is missing and FLAIR stands in its place
            image = sitk.GetImageFromArray(arrays[name])
            height = HEAD_HEIGHT_MM / len(arrays[name])
            image.SetSpacing((SLICE_PIXEL_MM, SLICE_PIXEL_MM, height))
            found[name] = coarse_view(image)
        yield f"slices/{path.stem}", found


def _cross_validated(
    matrix: Matrix, labels: NDArray[np.int_], groups: NDArray[np.str_]
) -> NDArray[np.int_]:
    """The class predicted for each row by a fit without its patient."""
    names = np.unique(groups)
    np.random.default_rng(0).shuffle(names)
    predicted = np.zeros_like(labels)
    for held_out in np.array_split(names, FOLDS):
        test = np.isin(groups, held_out)
        weights, biases = fit_softmax(matrix[~test], labels[~test])
        predicted[test] = (matrix[test] @ weights.T + biases).argmax(1)
    return predicted


def _report(
    predicted: NDArray[np.int_], labels: NDArray[np.int_], groups: NDArray[np.str_]
) -> None:
    for kind in ("volumes", "slices"):
        rows = np.char.startswith(groups, kind)
        right = predicted[rows] == labels[rows]
        merged = [np.where(values[rows] == 1, 0, values[rows]) for values in (predicted, labels)]
        log.info(
            "%s: n = %d images, four sequences %.3f, T1 and T1Gd as one %.3f",
            kind,
            rows.sum(),
            right.mean(),
            (merged[0] == merged[1]).mean(),
        )


def _pair_slope(patients: list[dict[str, CoarseView]]) -> float:
    """Slope of the logistic curve from enhancement score to probability, by maximum likelihood."""
    pairs = [
        enhancement(found["t1"], found["t1gd"])
        for found in patients
        if {"t1", "t1gd"} <= set(found)
    ]
    scores = np.array([score for score in pairs if score is not None])
    log.info("pairs: n = %d, right %.3f", len(scores), (scores > 0).mean())
    candidates = np.linspace(0.5, 20, 196)
    losses = [np.log1p(np.exp(-slope * scores)).sum() for slope in candidates]
    return float(candidates[int(np.argmin(losses))])


def _write(means: Matrix, scales: Matrix, weights: Matrix, biases: Matrix, slope: float) -> None:
    def numbers(values: Matrix) -> str:
        return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"

    rows = ",\n    ".join(numbers(row) for row in weights)
    text = (
        '"""Written by `content_fit.py`, which says from which data; not edited by hand."""\n\n'
        f"# fmt: off\n# ruff: noqa: E501\nMEANS = {numbers(means)}\nSCALES = {numbers(scales)}\n"
        f"WEIGHTS = (\n    {rows},\n)\nBIASES = {numbers(biases)}\nPAIR_SLOPE = {slope:.3g}\n"
    )
    Path(__file__).with_name("content_weights.py").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
