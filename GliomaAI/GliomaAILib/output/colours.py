"""The one place where labels and severities get their colours."""

from collections.abc import Mapping
from types import MappingProxyType

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import Label

LABEL_COLOURS: Mapping[Label, str] = MappingProxyType(
    {
        Label.NCR: "#d55e00",
        Label.ED: "#009e73",
        Label.ET: "#f0c808",
    }
)
"""Red core, green oedema, yellow rim as BraTS readers know them, in the colour-blind-safe shades of
Okabe and Ito (2008); their lightness differs too, so they stay apart in grey print."""

LABEL_WORDS: Mapping[Label, str] = MappingProxyType(
    {
        Label.NCR: "Necrotic or non-enhancing core",
        Label.ED: "Oedema or infiltrated tissue",
        Label.ET: "Enhancing tumour",
    }
)

SEVERITY_COLOURS: Mapping[Severity, str] = MappingProxyType(
    {
        Severity.INFO: "#0a5c8f",
        Severity.WARNING: "#8a5300",
        Severity.BLOCKING: "#9c1c1c",
    }
)
"""Dark enough for text on white (contrast above 4.5)."""


def rgb(colour: str) -> tuple[int, int, int]:
    """The three bytes of a colour written `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
