"""Networks to read deep features with, and whom each of them saw: nobody is read by one of those.

A network's features of the patients that it learnt from are better than those of anyone new; models
of them look better than they are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gliomaai_training.evaluation.run_pack import run_pack
from gliomaai_training.inference.model_pack import MANIFEST, ModelPack, load_model_pack
from gliomaai_training.inference.multitask_pack import MultiTaskSettings, is_multitask
from gliomaai_training.training.cases import dealt_cases
from gliomaai_training.training.run_folder import FinishedRun, read_run

OTHER_RUN = "a run of"
"""How a record begins that tells of weights of another run: `fit` takes none of another fold."""


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """One network, and whom it saw."""

    origin: FinishedRun | ModelPack
    sha256: str
    seen: frozenset[str] | None
    """The patients who took part in its training, as learnt from or as watched; None where they
    are known to be simulated, but not by name."""

    @contextmanager
    def pack(self) -> Iterator[ModelPack]:
        """The network as a pack, for the time of the block."""
        if isinstance(self.origin, ModelPack):
            yield self.origin
            return
        with run_pack(self.origin) as pack:
            yield pack

    def told(self) -> dict[str, object]:
        """Where it comes from, as a table's provenance has it."""
        if isinstance(self.origin, ModelPack):
            pack = self.origin
            return {"pack": f"{pack.name} {pack.version}", "sha256": self.sha256}
        record = self.origin.record
        return {
            "run": record.config.name,
            "sha256": self.sha256,
            "left_out": None if record.fold is None else f"{record.fold} of {record.config.folds}",
            "started_from": record.started_from,
        }


def open_network(folder: Path, data: Path) -> FeatureNetwork:
    """A run or a pack, with whom it saw.

    Args:
        folder: of a run, of a training in stages, or of a pack.
        data: folder of the tables of all cohorts that the run was trained on.

    Raises:
        ValueError: the folder holds neither, or nobody can tell whom the network saw.
    """
    if (folder / MANIFEST).is_file():
        return _of_pack(load_model_pack(folder))
    run = read_run(folder)
    return FeatureNetwork(run, run.sha256, seen_patients(run, data))


def seen_patients(run: FinishedRun, data: Path) -> frozenset[str]:
    """Everybody whom a run, or a stage before it, learnt from or was watched on.

    Raises:
        ValueError: a cohort's table is not there, or it began with weights of a pack.
    """
    seen: set[str] = set()
    for stage in run.stages:
        record = stage.record
        if record.started_from and not record.started_from.startswith(OTHER_RUN):
            raise ValueError(
                f"{stage.folder} began with {record.started_from}, which does not tell whom it "
                "saw: no patient can be known to be new to it"
            )
        for cohort in record.config.cohorts:
            if not (data / cohort.table).is_file():
                raise ValueError(
                    f"{stage.folder} was trained on {cohort.table}, which is not in {data}: "
                    "without it nobody knows whom the network saw"
                )
            dealt = dealt_cases(cohort, record.config, data, record.fold)
            seen |= {file.patient for file in (*dealt.training, *dealt.validation)}
    return frozenset(seen)


def unseen_by(
    patients: Sequence[str], networks: Sequence[FeatureNetwork], simulated: bool
) -> Mapping[str, int]:
    """The network to read each patient with, by its place among them.

    Features of different networks are not the same quantities, so that as many patients as may be
    are read by one: everybody by the network that left most of them out, else the next.

    Args:
        patients: of one cohort.
        networks: to choose from.
        simulated: whether the patients are.

    Raises:
        ValueError: a patient was seen by all networks.
    """
    new_to = [{one for one in patients if _is_new(one, network, simulated)} for network in networks]
    order = sorted(range(len(networks)), key=lambda place: (-len(new_to[place]), place))
    found = {}
    for patient in dict.fromkeys(patients):
        place = next((one for one in order if patient in new_to[one]), None)
        if place is not None:
            found[patient] = place
    if lost := len(set(patients)) - len(found):
        raise ValueError(
            f"{lost} of {len(set(patients))} patients were seen by every network given: a "
            "network's features of those it learnt from count for nothing. Add the runs that left "
            "them out (`fit --fold`), or take a network of other patients"
        )
    return found


def shares(reader_of: Mapping[str, int], networks: int) -> list[int]:
    """How many patients each network reads."""
    counted = Counter(reader_of.values())
    return [counted[place] for place in range(networks)]


def _is_new(patient: str, network: FeatureNetwork, simulated: bool) -> bool:
    return not simulated if network.seen is None else patient not in network.seen


def _of_pack(pack: ModelPack) -> FeatureNetwork:
    if not is_multitask(pack) or not MultiTaskSettings.of(pack).cohort.simulated_only:
        raise ValueError(
            f"model pack {pack.name} does not tell whom its network saw: read features with the "
            "runs of a cross-validation, or with a pack of simulated patients alone"
        )
    return FeatureNetwork(pack, pack.sha256, None)
