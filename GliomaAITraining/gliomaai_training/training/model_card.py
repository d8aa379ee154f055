"""Model cards: what a pack learnt from, how well it does, where it fails."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from gliomaai_training.cohorts.simulated import LIMITS as SIMULATED
from gliomaai_training.evaluation.tasks.summary import PackedHeads
from gliomaai_training.training.run_folder import FinishedRun, RunRecord
from gliomaai_training.vocabulary import NOTICE


@dataclass(frozen=True)
class PackNotes:
    """What no computation can tell: sources, licence and limits, in Markdown."""

    summary: str
    data: str
    licence: str
    limits: str

    @classmethod
    def read(cls, file: Path) -> "PackNotes":
        """Reads the notes from YAML.

        Raises:
            ValueError: a field is missing or unknown.
        """
        content = yaml.safe_load(file.read_text("utf-8"))
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(f"{file}: {error}") from error


def network_card(
    evaluation: Path, run: FinishedRun, notes: PackNotes, heads: PackedHeads | None = None
) -> str:
    """The card of a network's pack, with the tables that `gliomaai-train evaluate` wrote.

    Args:
        evaluation: folder of the evaluation.
        run: the run that is packed.
        notes: what nobody can compute.
        heads: what was measured of the tasks beside the segmentation; None if there are none.
    """
    config = run.record.config
    left_out = "none" if run.record.fold is None else f"fold {run.record.fold} of {config.folds}"
    parts = [
        f"# {run.name}",
        f"**{NOTICE}**",
        notes.summary,
        "## Data",
        notes.data,
        f"Left out of training: {left_out}.",
        "## Training",
        *_training(run),
        *(f"![learning curve]({file.name})" for file in _learning_curves(evaluation, run)),
        "## Accuracy" if heads is None else "## Accuracy of the segmentation",
        (evaluation / "summary.md").read_text("utf-8"),
        (evaluation / "regions.md").read_text("utf-8"),
        "![Dice](dice.png)",
        "## Missing sequences",
        (evaluation / "subsets.md").read_text("utf-8"),
        *_tumour_free(evaluation / "tumour_free.md"),
        "## Calibration" if heads is None else "## Calibration of the segmentation",
        "![reliability](reliability.png)",
        *(_heads(evaluation, heads) if heads is not None else ()),
        "## Limits",
        notes.limits,
        "## Licence",
        notes.licence,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _training(run: FinishedRun) -> list[str]:
    """How it was trained: a paragraph, or a list of stages."""
    if not run.earlier:
        stopped = f"stopped after step {run.checkpoint.step}"
        return [f"Began with {_steps(run.record)}; {stopped}."]
    lines = [f"- {stage.folder.name}: began with {_steps(stage.record)}" for stage in run.stages]
    return ["In stages, each from the weights of one before:", "\n".join(lines)]


def _steps(record: RunRecord) -> str:
    config = record.config
    phases = [
        f"{phase.steps} steps of {phase.batch_size} "
        f"{'whole brains' if phase.crop is None else f'crops {phase.crop}'}"
        f" of {phase.voxel_mm or config.voxel_mm:g} mm voxels"
        for phase in config.phases
    ]
    return "; ".join([record.started_from or "random weights", *phases, f"seed {config.seed}"])


def _learning_curves(evaluation: Path, run: FinishedRun) -> list[Path]:
    """The figures that were drawn, in the order of the stages."""
    names = [f"learning_curve-{stage.folder.name}" for stage in run.stages]
    files = [evaluation / f"{name}.png" for name in (names if run.earlier else ["learning_curve"])]
    return [file for file in files if file.is_file()]


def _heads(evaluation: Path, heads: PackedHeads) -> list[str]:
    """What the tasks beside the segmentation learnt from, and how well they do."""
    cohort = heads.cohort
    temperatures = [f"{task} {value:g}" for task, value in heads.temperatures.items()]
    curve = "none" if heads.survival is None else "a Cox model of the log-risk, in the pack"
    sections = {
        "Every metric": evaluation / "tasks.md",
        "Calibration": evaluation / "task_calibration.md",
        "Answers that WHO 2021 does not know": evaluation / "coherence.md",
        "Beside the true risk of the simulation": evaluation / "oracle.md",
    }
    parts = [
        "## Diagnosis and risk",
        f"Learnt from {cohort.words} (n = {cohort.patients}).",
        *(f"**{limit.capitalize()}**" for limit in (SIMULATED if cohort.simulated_only else ())),
        "\n".join(f"- {line}" for line in heads.evidence)
        or "How well the heads do was not measured.",
        f"Temperatures of the answers: {', '.join(temperatures) or 'none fitted'}. "
        f"Survival curves: {curve}.",
    ]
    for title, file in sections.items():
        if file.is_file():
            parts += [f"### {title}", file.read_text("utf-8")]
    if (evaluation / "task_reliability.png").is_file():
        parts.append("![reliability of the tasks](task_reliability.png)")
    return parts


def _tumour_free(table: Path) -> list[str]:
    if not table.is_file():
        return []
    return [
        "## Tumour-free brains",
        "What the networks of the evaluation draw where there is nothing to draw: in simulated "
        "brains that they never saw, and in the T1 template ICBM152, by the sequences given.",
        table.read_text("utf-8"),
    ]
