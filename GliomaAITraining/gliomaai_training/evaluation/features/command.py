"""`gliomaai-train features`: deep features of a cohort, each patient's from a network that never
saw the patient."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training.cohorts.lgg_slices import TABLE as SLICES_TABLE

if TYPE_CHECKING:
    from gliomaai_training.evaluation.features.table import FeatureCohort


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train features`."""
    add = parser.add_argument
    add(
        "networks",
        type=Path,
        nargs="+",
        metavar="NETWORK",
        help="folders of runs, or of a pack of simulated patients; nobody is read by a network "
        "that saw them",
    )
    add(
        "--data",
        type=Path,
        required=True,
        help="folder of the cohort tables: of this cohort, and of all that the runs learnt from",
    )
    add(
        "--table",
        type=Path,
        required=True,
        help=f"cohort's table, in DATA; {SLICES_TABLE.as_posix()} is read as slices",
    )
    add("--store", type=Path, required=True, help="folder of converted cases")
    add("--out", type=Path, required=True, help="CSV of features; where from stands beside (JSON)")
    add("--cohort", help="the cohort's name in the store (default: the table's)")
    add("--brain-mask", type=Path, metavar="PACK", help="brain mask pack, for slices")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Writes the table and its provenance; returns 0."""
    from tqdm import tqdm

    from gliomaai_training.evaluation.features.networks import open_network
    from gliomaai_training.evaluation.features.table import (
        read_deep_features,
        write_deep_features,
    )
    from gliomaai_training.inference.config import EngineConfig

    if arguments.out.suffix != ".csv":
        raise ValueError(f"--out is a CSV file, not {arguments.out.name}")
    networks = [open_network(folder, arguments.data) for folder in arguments.networks]
    cohort = _cohort(arguments)
    with tqdm(total=len(cohort.patients), unit="patient", disable=None) as bar:

        def advance(_: str, done: float) -> None:
            bar.update(round(done * len(cohort.patients)) - bar.n)

        found = read_deep_features(cohort, networks, EngineConfig(device=arguments.device), advance)
    write_deep_features(found, arguments.out)
    sys.stdout.write(f"{arguments.out}\n")
    return 0


def _cohort(arguments: argparse.Namespace) -> "FeatureCohort":
    if arguments.table == SLICES_TABLE:
        return _slices(arguments)
    from gliomaai_training.cohorts.manifest import read_manifest
    from gliomaai_training.cohorts.simulated import is_simulated
    from gliomaai_training.data.case_store import StoredCase, load_case, store_cases
    from gliomaai_training.evaluation.features.table import FeatureCohort
    from gliomaai_training.networks.pooling import POOLED_REGIONS

    table = arguments.data / arguments.table
    files = read_manifest(table, arguments.cohort or arguments.table.stem)
    of = {one.patient: one for one in files}

    def load(patient: str) -> StoredCase:
        return load_case(store_cases([of[patient]], arguments.store)[0])

    patients = tuple(one.patient for one in files)
    return FeatureCohort(patients, load, POOLED_REGIONS, is_simulated(table))


def _slices(arguments: argparse.Namespace) -> "FeatureCohort":
    from gliomaai_training.data.case_store import StoredCase
    from gliomaai_training.evaluation.features import slices
    from gliomaai_training.evaluation.features.table import FeatureCohort
    from gliomaai_training.inference.model_pack import load_model_pack
    from gliomaai_training.preprocessing.brain_mask import BrainMasker

    if arguments.brain_mask is None:
        raise ValueError(
            "the slices show whole heads: name the brain mask pack that finds the brain in them "
            "(--brain-mask)"
        )
    masker = BrainMasker(load_model_pack(arguments.brain_mask))
    sequences = slices.slice_patients(arguments.data)
    places = (arguments.data, arguments.store)

    def load(patient: str) -> StoredCase:
        return slices.stored_slices(patient, sequences[patient], places, masker)

    return FeatureCohort(tuple(sequences), load, slices.REGIONS, made=slices.MADE)
