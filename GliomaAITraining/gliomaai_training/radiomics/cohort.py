"""Features of many cases, several at a time, each measured once."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.cache import cache_key, load_features, save_features
from gliomaai_training.radiomics.config import DEFAULT_RECIPE, RadiomicsConfig
from gliomaai_training.radiomics.extract import STAGE, FeatureVector, extract, feature_columns
from gliomaai_training.radiomics.further import FOLD, FurtherFeatures
from gliomaai_training.radiomics.images import FeatureCase

CASE_COLUMNS = ("case", "patient", "cohort")


@dataclass(frozen=True)
class CohortFeatures:
    """Tables of a cohort's features."""

    features: pd.DataFrame
    """A row for each measured case: `CASE_COLUMNS`, then `extract.feature_columns`."""
    regions: pd.DataFrame
    """`case`, `region`, `state` and `voxels`: why features are unknown."""
    failures: pd.DataFrame
    """`case` and `reason` of those that could not be measured."""


def extract_cohort(
    files: Sequence[CaseFiles],
    config: RadiomicsConfig = DEFAULT_RECIPE,
    workers: int = 1,
    cache: Path | None = None,
    progress: Progress = silent,
) -> CohortFeatures:
    """Measures every case; the order and number of workers change nothing but the time.

    Args:
        files: the cases.
        config: what is measured and how.
        workers: processes.
        cache: folder of cases that are measured already; None for none.
        progress: told after each case; may cancel, and what is cached by then stays.

    Raises:
        ValueError: no worker.
        OSError: the cache cannot be written, or a worker was killed.
    """
    if workers < 1:
        raise ValueError(f"the number of workers must be at least 1, not {workers}")
    progress(STAGE, 0.0)
    measured, failures = [], []
    measure = partial(measure_files, config=config, cache=cache)
    # Closing ends the workers at once when progress cancels.
    with closing(_results(measure, files, workers)) as results:
        for number, (case, result) in enumerate(zip(files, results, strict=True), start=1):
            if isinstance(result, str):
                failures.append({"case": case.case, "reason": result})
            else:
                measured.append((case, result))
            progress(STAGE, number / len(files))
    return CohortFeatures(
        _feature_table(measured, config),
        _region_table(measured),
        pd.DataFrame(failures, columns=["case", "reason"]),
    )


def with_further(found: CohortFeatures, further: FurtherFeatures) -> CohortFeatures:
    """A cohort's features with those of another source, and `fold`, in the columns after them;
    cells of patients who have none are empty.

    Raises:
        ValueError: nobody has any, or a column is called alike in both.
    """
    further.of(found.features["patient"])
    added = pd.concat([further.fold.rename(FOLD).astype("Int64"), further.columns], axis=1)
    if both := sorted(set(map(str, found.features)) & set(map(str, added))):
        raise ValueError(f"radiomics and further features are both called {', '.join(both)}")
    return replace(found, features=found.features.join(added, on="patient"))


def measure_files(
    files: CaseFiles, config: RadiomicsConfig, cache: Path | None = None
) -> FeatureVector | str:
    """One case's features, from the cache if it has them; else why there are none."""
    try:
        key = cache_key(files, config) if cache else ""
        if cache and (known := load_features(cache, key, files.case, config)):
            return known
        vector = extract(read_case(files, config), config)
    except (ValueError, RuntimeError, FileNotFoundError) as error:  # SimpleITK's are RuntimeErrors
        return str(error).strip().splitlines()[-1]
    if cache:
        save_features(cache, key, vector)
    return vector


def read_case(files: CaseFiles, config: RadiomicsConfig) -> FeatureCase:
    """Reads those images of a case that the configuration asks for.

    Raises:
        ValueError: the case has no segmentation, or its images are on different grids.
    """
    if files.segmentation is None:
        raise ValueError(f"case {files.case} has no segmentation to measure")
    images = {
        name: sitk.ReadImage(str(file), sitk.sitkFloat32)
        for name, file in files.sequences.items()
        if name in config.sequences
    }
    return FeatureCase(files.case, images, sitk.ReadImage(str(files.segmentation), sitk.sitkUInt8))


def _results(
    measure: Callable[[CaseFiles], FeatureVector | str], files: Sequence[CaseFiles], workers: int
) -> Generator[FeatureVector | str, None, None]:
    if workers == 1 or len(files) <= 1:
        yield from map(measure, files)
        return
    context = get_context("spawn")  # threads of libraries do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_quiet) as pool:
        jobs = [pool.submit(measure, case) for case in files]
        try:
            for job in jobs:
                yield job.result()
        except BrokenProcessPool as error:
            raise OSError(
                "a worker was killed, most often for want of memory: use fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _quiet() -> None:
    """One thread a worker: cases run side by side, threads would only wait for each other."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _feature_table(
    measured: list[tuple[CaseFiles, FeatureVector]], config: RadiomicsConfig
) -> pd.DataFrame:
    rows = [
        (files.case, files.patient, files.cohort, *vector.values.values())
        for files, vector in measured
    ]
    return pd.DataFrame(rows, columns=[*CASE_COLUMNS, *feature_columns(config)])


def _region_table(measured: list[tuple[CaseFiles, FeatureVector]]) -> pd.DataFrame:
    rows = [
        (files.case, region, str(state), vector.voxels[region])
        for files, vector in measured
        for region, state in vector.states.items()
    ]
    return pd.DataFrame(rows, columns=["case", "region", "state", "voxels"])
