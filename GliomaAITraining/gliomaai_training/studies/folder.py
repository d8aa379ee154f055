"""A study's folder: configuration, tables, figures, fitted models, and how it was made."""

import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gliomaai_training import __version__
from gliomaai_training.evaluation.tables import to_markdown, write_table
from gliomaai_training.studies.study import StudyResult, StudySettings

CONFIG = "config.json"
LOG = "log.json"
SUMMARY = "summary.md"
LIBRARIES = ("numpy", "scipy", "pandas", "lifelines", "scikit-learn", "matplotlib")
SUMMARY_WIDTH, SUMMARY_COLOURS = 960, 64
"""Of a figure in the documentation."""
FIGURE_SUFFIXES = (".png", ".svg")


def write_study(name: str, result: StudyResult, settings: StudySettings, out: Path) -> None:
    """Writes everything into `out`, which is made.

    Raises:
        ValueError: the folder holds another study.
    """
    check_folder(name, out)
    out.mkdir(parents=True, exist_ok=True)
    config = {"study": name, "seed": settings.seed, "resamples": settings.resamples}
    _write_json(config | {"fixed": _plain(result.config)}, out / CONFIG)
    for table in result.tables:
        write_table(table.frame, out / "tables" / table.name)
    for figure in result.figures:
        for suffix in FIGURE_SUFFIXES:
            figure.draw(_inside(out / "figures", f"{figure.name}{suffix}"))
    for stem, model in result.models.items():
        _write_json(model.document(), _inside(out / "models", f"{stem}.json"))
    every = [figure.name for figure in result.figures]
    (out / SUMMARY).write_text(summary(name, result, settings, "figures", every), "utf-8")
    _write_json(log(result, settings), out / LOG)


def write_summary(name: str, result: StudyResult, settings: StudySettings, folder: Path) -> None:
    """Writes `NAME.md` with all tables, and beside it the few figures that are worth a look."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [figure for figure in result.figures if figure.for_summary]
    for figure in kept:
        file = _inside(folder / "images", f"{name}-{figure.name}.png")
        figure.draw(file)
        _shrink(file)
    text = summary(name, result, settings, f"images/{name}-", [figure.name for figure in kept])
    (folder / f"{name}.md").write_text(text, "utf-8")


def summary(
    name: str, result: StudyResult, settings: StudySettings, images: str, figures: Sequence[str]
) -> str:
    """The study in Markdown.

    Args:
        name: the study's.
        result: what it found.
        settings: how it was run.
        images: where figures lie: a folder, or a beginning of their names that ends in `-`.
        figures: names of those to show.
    """
    command = f"gliomaai-train study {name} --data DATA --out DIR --seed {settings.seed}"
    command += f" --resamples {settings.resamples}"
    command += " --masks MASKS" if settings.masks is not None else ""
    command += " --features TABLE" if settings.features is not None else ""
    command += f" --networks {settings.networks.name}" if settings.networks is not None else ""
    parts = [f"# {result.title}\n", f"{result.purpose}\n", f"Made by `{command}`.\n"]
    for table in result.tables:
        if not table.in_summary:
            continue
        parts += [f"## {table.title}\n", to_markdown(table.frame), f"{table.reading}\n"]
    shown = [figure for figure in result.figures if figure.name in figures]
    joint = "" if images.endswith("-") else "/"
    for figure in shown:
        parts += [f"## {figure.title}\n", f"![{figure.title}]({images}{joint}{figure.name}.png)\n"]
    if result.limits:
        parts += ["## Limits\n", "".join(f"- {limit}\n" for limit in result.limits)]
    return "\n".join(part for part in parts if part.strip())


def log(result: StudyResult, settings: StudySettings) -> dict[str, Any]:
    """How the study was made: seed, versions, and what exactly was read."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "seed": settings.seed,
        "resamples": settings.resamples,
        "inputs": {
            path.as_posix(): hash_of(settings.data / path) for path in sorted(set(result.inputs))
        },
        "masks": None if settings.masks is None else hash_of(settings.masks),
        "features": None if settings.features is None else hash_of(settings.features),
    }


def hash_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of its files' names and hashes."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path).as_posix()} {hash_of(file)}\n" for file in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(name: str, out: Path) -> None:
    """
    Raises:
        ValueError: the folder holds another study.
    """
    file = out / CONFIG
    if file.is_file():
        other = json.loads(file.read_text("utf-8")).get("study")
        if other != name:
            raise ValueError(f"{out} holds the study {other!r}; choose another --out")


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _shrink(file: Path) -> None:
    """Makes a drawing small enough for a repository: fewer pixels, and few colours."""
    from PIL import Image

    with Image.open(file) as opened:
        drawing = opened.convert("RGB")
    width = min(SUMMARY_WIDTH, drawing.width)
    size = (width, round(drawing.height * width / drawing.width))
    smaller = drawing.resize(size, Image.Resampling.LANCZOS)
    method = Image.Quantize.MAXCOVERAGE  # thin coloured lines keep their colour
    few = smaller.quantize(SUMMARY_COLOURS, method, dither=Image.Dither.NONE)
    few.save(file, optimize=True)


def _inside(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _plain(value: Any) -> Any:
    """As JSON holds it: dataclasses and tuples become objects and lists."""
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value


def _write_json(content: Any, file: Path) -> None:
    file.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")
