"""`gliomaai-train reference-groups`: observed survival beside which a patient's is shown."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gliomaai_training.cohorts.clinical import ClinicalCohort
    from gliomaai_training.survival.reference_groups import ReferenceGroups

COHORTS = ("tcga", "ucsf-pdgm")
BY = ("who_state", "idh", "grade")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train reference-groups`."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="root of the data")
    add("--cohort", choices=COHORTS, required=True)
    add("--by", choices=BY, required=True, help="column that makes the groups")
    add("--out", type=Path, required=True, help="JSON file")


def run(arguments: argparse.Namespace) -> int:
    """Writes the groups; returns 0."""
    from gliomaai_training.survival.reference_groups import write_reference_groups

    groups = groups_of(_cohort(arguments.cohort, arguments.data), arguments.by)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_reference_groups(groups, arguments.out)
    return 0


def _cohort(name: str, data: Path) -> "ClinicalCohort":
    from gliomaai_training.cohorts.tcga import read_tcga
    from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm

    return read_tcga(data) if name == "tcga" else read_ucsf_pdgm(data)


def groups_of(cohort: "ClinicalCohort", by: str) -> "ReferenceGroups":
    """The groups of a column that are large enough, in the order of its words.

    Raises:
        ValueError: none is.
    """
    from gliomaai_training.cohorts.dictionary import VARIABLES
    from gliomaai_training.cohorts.flow import with_known, with_survival
    from gliomaai_training.diagnosis.states import STATE_NAMES
    from gliomaai_training.survival.reference_groups import LEAST_PATIENTS, observed_groups

    known = with_known(with_survival(cohort), [by])
    followed, column = known.outcome(), known.patients[by].to_numpy()
    (variable,) = [one for one in VARIABLES if one.name == by]
    groups = {}
    for value in variable.words or variable.numbers:
        inside = column == value
        if inside.sum() >= LEAST_PATIENTS:
            word = value if isinstance(value, str) else f"{by} {value:g}"
            groups[STATE_NAMES.get(word, word)] = followed.take(inside)
    if not groups:
        raise ValueError(f"no group of {cohort.name} by {by} has {LEAST_PATIENTS} patients")
    return observed_groups(cohort.name, groups)
