"""Which patients a run learns from, by its configuration and the fold that it leaves out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.linking import known_names
from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.cohorts.own_table import read_own_table
from gliomaai_training.cohorts.simulated import NAME as SIMULATED
from gliomaai_training.cohorts.simulated import read_simulated
from gliomaai_training.cohorts.splits import patient_folds, split_fold
from gliomaai_training.data.case_store import StoredCase, load_case, store_cases
from gliomaai_training.data.dataset import TrainingPatients
from gliomaai_training.data.targets import PatientTargets, patient_targets, unknown_targets
from gliomaai_training.inference.multitask_pack import LearntFrom
from gliomaai_training.training.config import CohortConfig, FitConfig


@dataclass(frozen=True)
class TrainingCases:
    """What a run learns from and what it is watched on."""

    training: TrainingPatients
    validation: Sequence[StoredCase]
    validation_targets: Mapping[str, PatientTargets] = field(default_factory=dict)
    """By case."""
    held_out: frozenset[str] = frozenset()
    """The patients of validation and test."""
    person_of: Mapping[str, str] = field(default_factory=dict)
    """Who a patient is where several names are one person's."""
    truth: Mapping[str, PatientTargets] = field(default_factory=dict)
    """Of training cases, hidden labels too: to judge pseudo-labels by, never to learn from."""


@dataclass(frozen=True)
class DealtCases:
    """The cases of one cohort by what a run does with them."""

    training: Sequence[CaseFiles]
    validation: Sequence[CaseFiles]
    """Taken out of the training part, to watch the learning and to calibrate."""
    test: Sequence[CaseFiles]
    """The fold that is left out."""


def dealt_cases(
    cohort: CohortConfig, config: FitConfig, data: Path, fold: int | None
) -> DealtCases:
    """Deals a cohort's patients; a cohort that is not evaluated is for training alone.

    Raises:
        ValueError: the table is wrong, there is no such fold, or nobody is left to train on.
    """
    files = read_manifest(data / cohort.table, cohort.name)
    if not cohort.evaluated:
        return DealtCases(files, (), ())
    test: Sequence[CaseFiles] = ()
    if fold is not None:
        files, test = split_fold(files, config.folds, fold, config.fold_seed)
    patients = len({file.patient for file in files})
    if config.validation_patients >= patients:
        raise ValueError(
            f"validation_patients is {config.validation_patients}, but there are {patients}"
        )
    held = _first_patients(files, config.validation_patients, config.fold_seed)
    return DealtCases(
        training=[file for file in files if file.patient not in held],
        validation=[file for file in files if file.patient in held],
        test=test,
    )


def dealt_cohorts(
    config: FitConfig, data: Path, fold: int | None
) -> list[tuple[CohortConfig, DealtCases]]:
    """The cases of every cohort of a run.

    Who is held out in one cohort, under whatever name, is not learnt from in another; who is tested
    in one is not watched in another either.

    Raises:
        ValueError: as `dealt_cases`.
    """
    dealt = [(cohort, dealt_cases(cohort, config, data, fold)) for cohort in config.cohorts]
    person_of = persons(config, data)
    tested = _people([file for _, one in dealt for file in one.test], person_of)
    watched = _people([file for _, one in dealt for file in one.validation], person_of)
    return [
        (
            cohort,
            replace(
                one,
                training=_without(one.training, tested | watched, person_of),
                validation=_without(one.validation, tested, person_of),
            ),
        )
        for cohort, one in dealt
    ]


def persons(config: FitConfig, data: Path) -> dict[str, str]:
    """Who is behind each name that the clinical tables of a run's cohorts have."""
    found = [clinical_cohort(cohort, data) for cohort in config.cohorts]
    return known_names([one for one in found if one is not None])


def _people(files: Sequence[CaseFiles], person_of: Mapping[str, str]) -> set[str]:
    return {person_of.get(file.patient, file.patient) for file in files}


def _without(
    files: Sequence[CaseFiles], people: set[str], person_of: Mapping[str, str]
) -> list[CaseFiles]:
    return [file for file in files if person_of.get(file.patient, file.patient) not in people]


def dealt_run(config: FitConfig, data: Path, fold: int | None) -> DealtCases:
    """The cases of all cohorts that are evaluated, together; raises as `dealt_cases`."""
    dealt = [one for cohort, one in dealt_cohorts(config, data, fold) if cohort.evaluated]
    return DealtCases(
        training=[file for one in dealt for file in one.training],
        validation=[file for one in dealt for file in one.validation],
        test=[file for one in dealt for file in one.test],
    )


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the heads of a run learn from."""

    cohort: LearntFrom
    targets: Sequence[PatientTargets]
    """Of its patients, a case each."""
    tasks: tuple[str, ...]
    """Of the heads."""


def lesson(config: FitConfig, data: Path, fold: int | None) -> Lesson:
    """The patients whose diagnosis or survival a run learns, for a pack to tell.

    Raises:
        ValueError: nothing is known of anybody, or as `dealt_cases`.
    """
    dealt = [(one, d) for one, d in dealt_cohorts(config, data, fold) if one.clinical]
    cohorts = [cohort for cohort, _ in dealt]
    patients, targets = set(), []
    for cohort, one_cohort in dealt:
        files = one_cohort.training
        named = {file.case: (cohort.name, file.patient) for file in files}
        for case, one in _targets(cohort, files, data):
            if one.anything:
                patients.add(named[case])
                targets.append(one)
    if not patients:
        raise ValueError("no cohort of the run tells of diagnosis or survival (`clinical`)")
    simulated = all(cohort.clinical == SIMULATED for cohort in cohorts)
    told = LearntFrom(words=cohort_words(cohorts), patients=len(patients), simulated_only=simulated)
    return Lesson(told, targets, tuple(config.network.get("tasks", ())))


def cohort_words(cohorts: Sequence[CohortConfig]) -> str:
    """Who the patients of some cohorts are, as a sentence has it."""
    words = [
        "simulated patients" if one.clinical == SIMULATED else f"patients of {one.name}"
        for one in cohorts
    ]
    return " and ".join(dict.fromkeys(words))


def training_cases(config: FitConfig, data: Path, store: Path, fold: int | None) -> TrainingCases:
    """The cases that a run learns from, converted, with how often each is drawn and its targets.

    Args:
        config: of the run.
        data: folder of the cohort tables.
        store: folder of converted cases.
        fold: left out; None trains on everyone.

    Raises:
        ValueError: a table is wrong, two cohorts name cases alike, there is no such fold, or nobody
            is left to train on.
    """
    dealt = dealt_cohorts(config, data, fold)
    training = [file for _, one in dealt for file in one.training]
    validation = [file for _, one in dealt for file in one.validation]
    names = [file.case for file in (*training, *validation)]
    if len(set(names)) < len(names):
        raise ValueError("two cohorts name cases alike: rename those of one")
    weights = [cohort.weight / len(one.training) for cohort, one in dealt for _ in one.training]
    truth = {name: one for cohort, d in dealt for name, one in _targets(cohort, d.training, data)}
    watched = {
        name: one for cohort, d in dealt for name, one in _targets(cohort, d.validation, data)
    }
    hidden = {name for _, d in dealt for name in _hidden(d.training, config)}
    shown = {
        name: replace(one, possible=unknown_targets().possible) if name in hidden else one
        for name, one in truth.items()
    }
    has_clinical = any(cohort.clinical for cohort in config.cohorts)
    cases = [load_case(file) for file in store_cases(training, store)]
    return TrainingCases(
        training=TrainingPatients(cases, weights, shown if has_clinical else None),
        validation=[load_case(file) for file in store_cases(validation, store)],
        validation_targets=watched,
        held_out=frozenset(file.patient for _, d in dealt for file in (*d.validation, *d.test)),
        person_of=persons(config, data),
        truth=truth,
    )


def clinical_cohort(cohort: CohortConfig, data: Path) -> ClinicalCohort | None:
    """What a cohort's table tells of its patients; None where it tells nothing."""
    if cohort.clinical is None:
        return None
    table = data / cohort.table
    if cohort.clinical == SIMULATED:
        return read_simulated(table)
    return read_own_table(table, cohort.name)


def _targets(
    cohort: CohortConfig, files: Sequence[CaseFiles], data: Path
) -> Iterator[tuple[str, PatientTargets]]:
    """By case; of whom the table says nothing, nothing is known."""
    clinical = clinical_cohort(cohort, data) if files else None
    known: Mapping[str, PatientTargets] = patient_targets(clinical) if clinical else {}
    for file in files:
        yield file.case, known.get(file.case, unknown_targets())


def _hidden(files: Sequence[CaseFiles], config: FitConfig) -> Iterator[str]:
    """The cases whose diagnosis is hidden from the training."""
    patients = {file.patient for file in files}
    shown = _first_patients(
        files, round(config.labelled_share * len(patients)), config.fold_seed + 1
    )
    yield from (file.case for file in files if file.patient not in shown)


def _first_patients(files: Sequence[CaseFiles], count: int, seed: int) -> set[str]:
    """So many patients in random order, the same for the same seed."""
    everyone = sorted({file.patient for file in files})
    if count in (0, len(everyone)):
        return set(everyone[:count])
    order = patient_folds(everyone, len(everyone), seed)
    return {patient for patient, place in order.items() if place < count}
