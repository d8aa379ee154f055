"""The project's words: sequences, labels and regions. Every other module takes them from here."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

NOTICE = "Research use only. Not a medical device; not for diagnosis or treatment decisions."
"""Stands wherever a result is shown."""

SEQUENCES = ("t1", "t1gd", "t2", "flair")
"""The four MR sequences, in the order of the network's inputs."""

REFERENCE_ORDER = ("t1gd", "t1", "flair", "t2")
"""Which sequence is the reference of a study: the first of these that is present."""


class Label(IntEnum):
    """Values of a tumour label image."""

    BACKGROUND = 0
    NCR = 1
    """Necrotic or non-enhancing tumour core."""
    ED = 2
    """Peritumoural oedema, or infiltrated tissue."""
    ET = 3
    """Enhancing tumour. Older public files write 4."""


REGIONS: Mapping[str, tuple[Label, ...]] = MappingProxyType(
    {
        "WT": (Label.NCR, Label.ED, Label.ET),
        "TC": (Label.NCR, Label.ET),
        "ET": (Label.ET,),
    }
)
"""The nested regions by which segmentations are judged: whole tumour, tumour core, enhancing."""

CLINICAL_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sex": ("F", "M"),
        "resection": ("none", "biopsy", "subtotal", "gross total"),
        "idh": ("mutant", "wild-type"),
        "codeletion_1p19q": ("co-deleted", "intact"),
    }
)
"""The words that a clinical fact may take, in cohorts and in the clinic alike."""

WHO_GRADES = (2, 3, 4)
"""WHO 2021 grades of adult-type diffuse gliomas."""

KPS_STEP = 10
"""Karnofsky performance status goes from 10 to 100 in these steps."""

MAX_AGE_YEARS = 120.0

DAYS_PER_MONTH = 365.25 / 12
"""The one conversion between days and months."""


def reference_sequence(present: tuple[str, ...] | list[str] | set[str]) -> str:
    """The sequence whose grid a study is prepared on.

    Raises:
        ValueError: none of the four sequences is present.
    """
    for name in REFERENCE_ORDER:
        if name in present:
            return name
    raise ValueError(f"none of {', '.join(SEQUENCES)} is present, only {sorted(present)}")
