"""Does N4 pay? `python benchmark_bias_field.py RUN --data DATA [--patients N] [--strengths ...]`.

RUN is a fold of a cross-validation. Its held-out patients are segmented as they are and under
smooth multiplicative fields of growing strength, each without and with N4; the table gives the
mean Dice of each and the mean difference that N4 made with its 95 % bootstrap interval.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.data.augmentation import random_drift
from gliomaai_training.data.case_store import convert_case
from gliomaai_training.evaluation.bootstrap import bootstrap_interval
from gliomaai_training.evaluation.command import held_out_files
from gliomaai_training.evaluation.cross_validation import score_case
from gliomaai_training.evaluation.run_pack import run_predictor
from gliomaai_training.evaluation.tables import to_markdown
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.preprocessing.bias_field import correct_bias_field
from gliomaai_training.training.run_folder import read_run
from gliomaai_training.vocabulary import REGIONS, SEQUENCES


def changed_case(
    case: CaseFiles, folder: Path, strength: float, n4: bool, generator: np.random.Generator
) -> CaseFiles:
    """The case's images under another field in each sequence, corrected by N4 if asked for."""
    files = {}
    for name, file in case.sequences.items():
        image = sitk.ReadImage(str(file), sitk.sitkFloat32)
        if strength > 0:
            array = sitk.GetArrayFromImage(image)
            drifted = sitk.GetImageFromArray(array * random_drift(array.shape, strength, generator))
            drifted.CopyInformation(image)
            image = drifted
        brain = sitk.Cast(image != 0, sitk.sitkUInt8)
        if n4:
            image = correct_bias_field(image, brain) * sitk.Cast(brain, sitk.sitkFloat32)
        files[name] = folder / f"{name}.nii"
        sitk.WriteImage(image, str(files[name]))
    return dataclasses.replace(case, sequences=files)


def scores(predictor: Predictor, case: CaseFiles, strength: float, n4: bool) -> dict[str, float]:
    """Dice of the three regions; the same field whether N4 follows or not."""
    generator = np.random.default_rng(int(1000 * strength) + sum(case.case.encode()))
    with tempfile.TemporaryDirectory() as scratch:
        stored = convert_case(changed_case(case, Path(scratch), strength, n4, generator))
    rows = score_case(predictor, stored, [SEQUENCES])
    return {str(row["region"]): float(str(row["dice"])) for row in rows}


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for each strength and region."""
    lines = []
    for strength, part in rows.groupby("strength"):
        for region in REGIONS:
            without = part.loc[~part["n4"], region].to_numpy()
            corrected = part.loc[part["n4"], region].to_numpy()
            gain = bootstrap_interval(corrected - without, np.random.default_rng(1))
            lines.append(
                {
                    "field": strength,
                    "region": region,
                    "n": len(without),
                    "Dice without N4": f"{without.mean():.3f}",
                    "with N4": f"{corrected.mean():.3f}",
                    "gain (95 %)": f"{gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})",
                }
            )
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.2, 0.4])
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    cases = held_out_files(run, arguments.data)[: arguments.patients]
    rows = []
    with run_predictor(run, EngineConfig()) as predictor:
        for strength in arguments.strengths:
            for case in cases:
                for n4 in (False, True):
                    found = scores(predictor, case, strength, n4)
                    rows.append({"strength": strength, "case": case.case, "n4": n4, **found})
            sys.stdout.write(to_markdown(table(pd.DataFrame(rows))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
