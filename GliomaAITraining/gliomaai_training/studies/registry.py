"""The studies by name. A study's module, and what it needs, is imported when it is run."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from gliomaai_training.studies.study import StudyFunction

STUDIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "postoperative": (
            "gliomaai_training.studies.postoperative",
            "survival after surgery: fitted on TCGA, tested on UCSF-PDGM",
        ),
        "preoperative": (
            "gliomaai_training.studies.preoperative",
            "survival before surgery: what the image adds to age and sex",
        ),
        "idh": (
            "gliomaai_training.studies.idh",
            "IDH from age and T1Gd radiomics, nested; then other institutions",
        ),
        "diagnosis": (
            "gliomaai_training.studies.diagnosis",
            "the WHO state without a network: calibrated, coherent, or indeterminate",
        ),
        "grading": (
            "gliomaai_training.studies.grading",
            "lower against higher grade by selection and SVM, after the published system",
        ),
        "lgg": (
            "gliomaai_training.studies.lgg",
            "lower-grade glioma after the published system: nomogram, signature, what either adds",
        ),
        "stability": (
            "gliomaai_training.studies.stability",
            "radiomics in perturbed and in predicted masks against the expert's",
        ),
        "networks": (
            "gliomaai_training.studies.networks",
            "the published systems, the unified network and its ablations on simulated patients",
        ),
        "network-real": (
            "gliomaai_training.studies.network_real",
            "IDH, 1p/19q and survival of real patients from a network's features, and without",
        ),
        "controls": (
            "gliomaai_training.studies.controls",
            "negative controls: permuted outcomes, age and volume, class only, hospital only",
        ),
    }
)
"""Name: the module with `study(settings, progress) -> StudyResult`, and what it asks."""


def find_study(name: str) -> StudyFunction:
    """The function of a study.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in STUDIES:
        raise ValueError(f"there is no study {name!r}; there are {', '.join(STUDIES)}")
    found: StudyFunction = import_module(STUDIES[name][0]).study
    return found
