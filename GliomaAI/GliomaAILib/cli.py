"""`gliomaai`: the extension's work without Slicer.

Only what parses the command line is imported here; a command imports what it needs when it runs.
"""

import argparse
import logging
import math
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import fields
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from gliomaai_training.inference.config import Device, EngineKind
from gliomaai_training.progress import Cancelled
from gliomaai_training.vocabulary import KPS_STEP, NOTICE, SEQUENCES
from GliomaAILib import __version__
from GliomaAILib.intake.facts import GRADES, VALUES, ClinicalFacts, possible_age

if TYPE_CHECKING:
    from GliomaAILib.analysis import AnalysisRequest
    from GliomaAILib.assessment.assessment import Assessment

BRAIN_MASKS = ("network", "hd-bet", "stripped")
"""As `preprocessing.brains.BrainMaskSource` has them, which is too heavy to import here."""


class ExitCode(IntEnum):
    """What the process returns."""

    OK = 0
    ERROR = 1
    """The input, a model pack or the output folder is unusable; the message says what to do."""
    CHOICE = 2
    """The command line is wrong, or the study can be read in more than one way."""
    BLOCKED = 3
    """A blocking finding: there is no result that could be trusted, and none is written."""
    CANCELLED = 130
    """Stopped by the user; nothing is written."""


EXIT_CODES = (
    "exit codes: 0 result written; 1 error; 2 wrong command line, or a study in which a sequence "
    "has to be chosen; 3 blocking finding, no result; 130 cancelled"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the process's exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    _set_up_logging(arguments)
    try:
        return int(arguments.run(arguments))
    except (KeyboardInterrupt, Cancelled):
        _say("Cancelled; nothing was written.")
        return ExitCode.CANCELLED
    except MemoryError:
        _say("Error: not enough memory. Close other programs, or choose --engine torch.")
        return ExitCode.ERROR
    except (OSError, ValueError) as error:
        if arguments.debug:
            raise
        _say(f"Error: {error}")
        return ExitCode.ERROR


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    common = argparse.ArgumentParser(add_help=False)
    loudness = common.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    loudness.add_argument("-v", "--verbose", action="store_true", help="print the log as well")
    common.add_argument("--debug", action="store_true", help="show where an error came from")
    parser = argparse.ArgumentParser(
        prog="gliomaai",
        description=f"Segments and measures a glioma in a brain MR study. {NOTICE}",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gliomaai {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_analyze(commands, common)
    models = commands.add_parser(
        "models", parents=[common], help="list the model packs and verify their files"
    )
    models.set_defaults(run=_run_models)
    return parser


def _add_analyze(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    common: argparse.ArgumentParser,
) -> None:
    parser = commands.add_parser(
        "analyze",
        parents=[common],
        help="analyse a study and write segmentation, measures and report",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument(
        "study",
        type=Path,
        metavar="STUDY",
        help="a folder of DICOM, NIfTI, NRRD or MetaImage files",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the result's folder"
    )
    choice = parser.add_argument_group("choice of sequences, where the study leaves it open")
    for name in SEQUENCES:
        choice.add_argument(
            f"--{name}",
            metavar="PATH",
            help=f"take this file, series folder, series UID or table number for {name}",
        )
    _add_facts(parser)
    table = parser.add_argument_group("table of a cohort")
    table.add_argument("--table", type=Path, metavar="FILE", help="add a line to this CSV file")
    table.add_argument("--case", metavar="NAME", help="the case's name there; no patient's name")
    _add_computing(parser)
    parser.set_defaults(run=_run_analyze, refuse=parser.error)


def _add_computing(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how to compute")
    how.add_argument("--device", choices=get_args(Device), default="auto")
    how.add_argument("--engine", choices=get_args(EngineKind), default="auto")
    how.add_argument(
        "--model", type=Path, metavar="DIR", help="another segmentation or multi-task model pack"
    )
    how.add_argument(
        "--brain-mask",
        choices=BRAIN_MASKS,
        default="network",
        help="where the brain mask comes from; stripped: the images' non-zero voxels",
    )
    how.add_argument("--n4", action="store_true", help="correct the bias field first")
    how.add_argument(
        "--flips",
        action=argparse.BooleanOptionalAction,
        help="average over the mirror image: twice the time of the network (default: as the model "
        "pack was judged)",
    )
    how.add_argument(
        "--explain",
        action="store_true",
        help="with a multi-task pack: what each sequence adds to its answers, and where in the "
        "images they come from; minutes on a CPU",
    )


def _add_facts(parser: argparse.ArgumentParser) -> None:
    facts = parser.add_argument_group("what is known of the patient; goes before image headers")
    facts.add_argument("--age", type=_age, metavar="YEARS", dest="age_years")
    facts.add_argument("--sex", choices=VALUES["sex"])
    kps = range(KPS_STEP, 101, KPS_STEP)
    help_ = "Karnofsky performance status, 10 to 100 in tens"
    facts.add_argument("--kps", type=int, choices=kps, metavar="KPS", help=help_)
    facts.add_argument("--resection", choices=VALUES["resection"], help="planned or done")
    facts.add_argument("--idh", choices=VALUES["idh"], help="known from tissue")
    facts.add_argument(
        "--1p19q",
        choices=VALUES["codeletion_1p19q"],
        dest="codeletion_1p19q",
        help="known from tissue",
    )
    facts.add_argument("--grade", type=int, choices=GRADES, help="WHO 2021, known from tissue")


def _age(text: str) -> float:
    """Years, for argparse."""
    try:
        years = float(text)
    except ValueError:
        years = math.nan
    if not possible_age(years):
        raise argparse.ArgumentTypeError(f"{text!r} is no age in years")
    return years


def _run_analyze(arguments: argparse.Namespace) -> int:
    from GliomaAILib.terminal import StageDisplay, summary, timing_table

    begin = time.perf_counter()
    facts = _facts(arguments)
    _stop_on_sigterm()
    # Imported only now: they take a second or two.
    import SimpleITK as sitk

    from gliomaai_training.findings import BlockingFindingError
    from GliomaAILib.analysis import analyze_study
    from GliomaAILib.intake.errors import AmbiguousStudyError
    from GliomaAILib.output.write import OutputError, write_assessment

    # Warnings of the file readers quote paths and header values.
    sitk.ProcessObject.SetGlobalWarningDisplay(arguments.debug)
    clock = {"imports": time.perf_counter() - begin}
    try:
        _check_writable(arguments.out)
        _check_table(arguments)
        with StageDisplay(quiet=arguments.quiet) as display:
            assessment = analyze_study(_request(arguments, facts), display)
            clock |= assessment.provenance.timings_s
            writing = time.perf_counter()
            files = write_assessment(assessment, arguments.out, display)
            _add_to_table(arguments, assessment)
            clock["output"] = time.perf_counter() - writing
    except OutputError as error:
        _say(f"Error: {error}")
        return ExitCode.ERROR
    except AmbiguousStudyError as error:
        _say(error.table())
        return ExitCode.CHOICE
    except BlockingFindingError as error:
        _say(f"No result: {error}")
        return ExitCode.BLOCKED
    if not arguments.quiet:
        _say(timing_table(clock))
        _tell(summary(assessment))
        _tell(f"Report: {files.report}")
        _tell(NOTICE)
    return ExitCode.OK


def _check_writable(folder: Path) -> None:
    """Finds out before minutes are spent whether the result could be written; changes nothing.

    Raises:
        OSError: it could not.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"--out {folder} is a file, not a folder; name another")
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    try:
        # A trial, because permission bits say nothing of read-only mounts or of root.
        with tempfile.TemporaryDirectory(dir=place, prefix=".gliomaai-"):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"--out {folder} cannot be written: {reason}; name another") from error


def _facts(arguments: argparse.Namespace) -> ClinicalFacts:
    """The patient's facts; ends the program where they contradict each other."""
    given = {one.name: getattr(arguments, one.name) for one in fields(ClinicalFacts)}
    try:
        facts = ClinicalFacts(**given)
    except ValueError as error:
        arguments.refuse(str(error))
    if (arguments.table is None) != (arguments.case is None):
        arguments.refuse("--table and --case go together")
    return facts


def _check_table(arguments: argparse.Namespace) -> None:
    from GliomaAILib.output.cohort_table import check_table

    if arguments.table is not None:
        check_table(arguments.table, arguments.case)


def _add_to_table(arguments: argparse.Namespace, assessment: "Assessment") -> None:
    from GliomaAILib.output.cohort_table import append_row, cohort_row
    from GliomaAILib.output.document import assessment_document

    if arguments.table is not None:
        append_row(arguments.table, cohort_row(arguments.case, assessment_document(assessment)))


def _request(arguments: argparse.Namespace, facts: ClinicalFacts) -> "AnalysisRequest":
    from gliomaai_training.inference.config import EngineConfig
    from gliomaai_training.preprocessing.prepare import PreparationConfig
    from GliomaAILib.analysis import AnalysisRequest

    chosen = {name: getattr(arguments, name) for name in SEQUENCES}
    return AnalysisRequest(
        study=arguments.study,
        choices={name: choice for name, choice in chosen.items() if choice is not None},
        preparation=PreparationConfig(brain_mask=arguments.brain_mask, n4=arguments.n4),
        engine=EngineConfig(
            device=arguments.device, engine=arguments.engine, flips=arguments.flips
        ),
        model=arguments.model,
        facts=facts,
        explain=arguments.explain,
    )


def _run_models(arguments: argparse.Namespace) -> int:
    """Lists the packs; an error where one is missing or damaged."""
    from GliomaAILib.pack_list import listed_packs

    code = ExitCode.OK
    for one in listed_packs():
        if one.usable:
            _tell(one.words)
        else:
            _say(f"Error: {one.words}")
            code = ExitCode.ERROR
    return code


def _set_up_logging(arguments: argparse.Namespace) -> None:
    """Our own log to standard error; other libraries' only with --debug: they quote headers."""
    ours = logging.INFO if arguments.verbose else logging.WARNING
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(logging.WARNING if arguments.debug else logging.CRITICAL)
    for package in ("GliomaAILib", "gliomaai_training"):
        logging.getLogger(package).setLevel(logging.ERROR if arguments.quiet else ours)
    if not arguments.debug:
        warnings.simplefilter("ignore")
        sys.excepthook = _unexpected


def _unexpected(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Says what no one foresaw, without the traceback, whose values may identify a patient."""
    _say(f"Error: {kind.__name__} (unexpected; run again with --debug to see where): {error}")


def _stop_on_sigterm() -> None:
    """Lets a job scheduler's SIGTERM end the run as Ctrl-C does, with everything cleaned up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _tell(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    """A line about the run."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
