"""A stack of axial slices without geometry, made a volume that a 3D network can read.

What is assumed: an in-plane field of view of 240 mm, and a stack that spans 150 mm of head
(`evaluation.brain_mask.slice_stack`). The stack is interpolated to 1 mm voxels as any thick-slice
study is, the brain is found in FLAIR by the brain mask network, and absent sequences (always T2)
are absent. Only the whole tumour is drawn, so that features are pooled over it and over the brain
alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.lgg_slices import MASK, TABLE
from gliomaai_training.cohorts.lgg_slices import SEQUENCES as HELD
from gliomaai_training.cohorts.values import read_text_table, translate
from gliomaai_training.data.case_store import StoredCase, load_case, to_levels, write_case
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import brain_box
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM, common_grid, resample
from gliomaai_training.vocabulary import SEQUENCES, Label

if TYPE_CHECKING:
    from gliomaai_training.preprocessing.brain_mask import BrainMasker

NAME = "lgg_slices"
MAYBE_MISSING = ("t1", "t1gd")
BRAIN_IN = "flair"
MADE = (
    "slices without geometry, taken to be 240 mm wide and to span 150 mm of head; brain by the "
    "brain mask network; T2, and T1 or T1Gd where the table says so, absent"
)
REGIONS = ("brain", "WT")
"""What such a mask knows of `networks.pooling.POOLED_REGIONS`."""
DRAWN_AS = Label.ED
"""The tumour's label in the volume: any will do, as its parts are not asked for."""


def slice_patients(data: Path) -> Mapping[str, tuple[str, ...]]:
    """The sequences that there are of each patient of `lgg_slices`.

    Raises:
        ValueError: no such table, a column is missing, or a word that is not mapped.
    """
    columns = [f"{name}_missing" for name in MAYBE_MISSING]
    rows = read_text_table(data / TABLE, ("patient", *columns))
    flags = [translate(rows[name], {"True": True, "False": False}) for name in columns]
    found = {}
    for patient, *missing in zip(rows["patient"], *flags, strict=True):
        absent = {name for name, flag in zip(MAYBE_MISSING, missing, strict=True) if flag}
        found[str(patient)] = tuple(name for name in HELD if name not in absent)
    return found


def stored_slices(
    patient: str, sequences: Sequence[str], places: tuple[Path, Path], masker: "BrainMasker"
) -> StoredCase:
    """One patient's volume, from the store if it is there.

    Args:
        patient: as the table names them.
        sequences: that there are.
        places: the root of the data, and the folder of converted cases.
        masker: finds the brain.

    Raises:
        ValueError: the file is absent or holds other arrays, or no brain is found.
    """
    data, store = places
    file = data / TABLE.parent / f"{patient}.npz"
    if not file.is_file():
        raise ValueError(f"{TABLE.parent} has no file for a patient of its table")
    how = " ".join((masker.pack.sha256, *sequences))
    key = hashlib.sha256(file.read_bytes() + how.encode()).hexdigest()[:12]
    stored = store / f"{NAME}-{patient}-{key}.npz"
    if not stored.is_file():
        store.mkdir(parents=True, exist_ok=True)
        write_case(slices_case(patient, _arrays(file, sequences), masker), stored)
    return load_case(stored)


def slices_case(
    patient: str, arrays: Mapping[str, NDArray[np.uint8]], masker: "BrainMasker"
) -> StoredCase:
    """A volume of 1 mm voxels, cut to its brain, what the expert calls tumour included.

    Args:
        patient: their name, which is the case's too.
        arrays: (k, j, i) by sequence, and the tumour as `MASK`.
        masker: finds the brain.

    Raises:
        ValueError: no brain is found, or nothing is drawn.
    """
    from gliomaai_training.evaluation.brain_mask import slice_stack

    stacks = {name: slice_stack(array) for name, array in arrays.items()}
    grid = common_grid(Grid.of(stacks[MASK]))
    drawn = resample(stacks.pop(MASK), grid, interpolator=sitk.sitkNearestNeighbor)
    tumour = sitk.GetArrayFromImage(drawn) > 0
    if not tumour.any():
        raise ValueError("a patient of the slices has no tumour drawn")
    brain = _brain(stacks, grid, masker) | tumour
    box = brain_box(brain)
    images = np.zeros((len(SEQUENCES), *brain[box].shape), np.uint8)
    for name, stack in stacks.items():
        image = resample(sitk.Cast(stack, sitk.sitkFloat32), grid)
        array = sitk.GetArrayFromImage(image)[box]
        images[SEQUENCES.index(name)] = to_levels(array, brain[box])
    return StoredCase(
        case=patient,
        patient=patient,
        cohort=NAME,
        images=images,
        present=np.array([name in stacks for name in SEQUENCES]),
        labels=np.where(tumour[box], DRAWN_AS, Label.BACKGROUND).astype(np.uint8),
        voxel_mm=(COMMON_SPACING_MM,) * 3,
    )


def _brain(
    stacks: Mapping[str, sitk.Image], grid: Grid, masker: "BrainMasker"
) -> NDArray[np.bool_]:
    """The brain in FLAIR, which every patient has."""
    from gliomaai_training.preprocessing.brain_mask import cleaned, logit_on

    logit = logit_on(masker.logit(stacks[BRAIN_IN]), grid)
    found = cleaned(sitk.GetArrayFromImage(logit) > 0)
    if not found.any():
        raise ValueError("no brain was found in a patient's slices")
    return found


def _arrays(file: Path, sequences: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name], np.uint8) for name in (*sequences, MASK)}
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"a file of {TABLE.parent} holds no slices: {error!r}") from error
