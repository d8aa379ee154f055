"""How columns and values may be written in a researcher's own table."""

from collections.abc import Mapping
from types import MappingProxyType

from gliomaai_training.cohorts import tcga, ucsf_pdgm
from gliomaai_training.covariates import WHO_STATE

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "age": "age_years",
        "state": WHO_STATE,
        "extent_of_resection": "resection",
        "codel_1p19q": "codeletion_1p19q",
    }
)
"""Other names of columns."""
SPELLINGS: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {
        "sex": dict(tcga.SEX),
        "resection": dict(ucsf_pdgm.RESECTION),
        "idh": {**tcga.IDH, **ucsf_pdgm.IDH},
        "codeletion_1p19q": {**tcga.CODELETION, **ucsf_pdgm.CODELETION},
        "mgmt": dict(ucsf_pdgm.MGMT),
    }
)
"""Other words for values, as public tables have them; None for those that say nothing."""
UNKNOWN = ("", "NA", "NaN", "nan", "None")
