"""What a trained network says of cases: masks against the expert's, and the tasks' answers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.evaluation.cross_validation import scored, seen_through
from gliomaai_training.evaluation.run_pack import PackSettings, run_pack, voxel_of
from gliomaai_training.evaluation.tables import subset_name
from gliomaai_training.evaluation.tasks.predictions import RISK
from gliomaai_training.inference.config import AUTOMATIC, EngineConfig
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.task_heads import TaskPrediction, TaskReader

if TYPE_CHECKING:
    from gliomaai_training.training.run_folder import FinishedRun

DICE_FILE, TASKS_FILE = "dice.csv", "tasks.csv"

Rows = list[dict[str, object]]


@dataclass(frozen=True, eq=False)
class NetworkPredictions:
    """Of one training."""

    dice: pd.DataFrame
    """Results as `evaluation.tables` has them."""
    tasks: pd.DataFrame
    """Predictions as `predictions` has them, without `run`; empty without tasks."""

    def write(self, folder: Path) -> None:
        """Writes both tables; the results last, so that they stand for the whole."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tasks.to_csv(folder / TASKS_FILE, index=False)
        self.dice.to_csv(folder / DICE_FILE, index=False)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What `write` wrote; None where it has not."""
        if not (folder / DICE_FILE).is_file():
            return None
        try:
            tasks = pd.read_csv(folder / TASKS_FILE, dtype={"case": str, "patient": str})
        except pd.errors.EmptyDataError:
            tasks = pd.DataFrame()
        return cls(pd.read_csv(folder / DICE_FILE, dtype={"case": str, "patient": str}), tasks)

    @classmethod
    def of(cls, told: Iterable[tuple[Rows, Rows]]) -> Self:
        """What `predict_cases` gives, as tables."""
        dice: Rows = []
        tasks: Rows = []
        for of_dice, of_tasks in told:
            dice += of_dice
            tasks += of_tasks
        return cls(pd.DataFrame(dice), pd.DataFrame(tasks))


def predict_cases(
    run: "FinishedRun",
    cases: Sequence[StoredCase],
    subsets: Sequence[tuple[str, ...]],
    engine: EngineConfig = AUTOMATIC,
    settings: PackSettings | None = None,
    keep: Callable[[str, NDArray[np.uint8]], None] | None = None,
) -> Iterator[tuple[Rows, Rows]]:
    """Results and predictions of each case, by the pack and predictor of the clinic.

    Args:
        run: of the training.
        cases: of voxels of one size.
        subsets: of sequences; those that a case lacks are passed over.
        engine: how the network is run.
        settings: of the pack; without, nothing is calibrated.
        keep: given each case's name and the labels drawn from the first subset that it has.

    Raises:
        ValueError: the cases have voxels of several sizes.
        MemoryError: a case does not go through the network in one piece.
    """
    if not cases:
        return
    with run_pack(run, settings, voxel_of(cases)) as pack:
        predictor = Predictor(pack, engine)
        reader = TaskReader(pack) if run.record.config.network.get("tasks") else None
        for case in cases:
            dice: Rows = []
            tasks: Rows = []
            for subset, seen in seen_through(predictor, case, subsets):
                if keep is not None and not dice:
                    keep(case.case, seen.labels)
                dice += scored(case, subset, seen.labels)
                if reader is None:
                    continue
                if seen.features is None:
                    raise MemoryError(f"{case.case} is too large for the tasks in one piece")
                answer = reader.read(seen.features, seen.labels)
                key = {"case": case.case, "patient": case.patient}
                tasks.append({**key, "sequences": subset_name(subset), **_columns(answer)})
            yield dice, tasks


def _columns(answer: TaskPrediction) -> dict[str, float]:
    columns = {
        f"{task}:{name}": chance
        for task, chances in answer.probabilities.items()
        for name, chance in chances.items()
    }
    return columns if answer.log_risk is None else columns | {RISK: answer.log_risk}
