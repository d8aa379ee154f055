"""`report.html`: an assessment for readers, in one self-contained file."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import NOTICE, SEQUENCES
from GliomaAILib.output import key_images as pictures
from GliomaAILib.output.colours import SEVERITY_COLOURS
from GliomaAILib.output.content import CAUTION, ESTIMATE_CAUTION, TITLE, ReportContent
from GliomaAILib.output.explained import AGAINST, FOR
from GliomaAILib.output.survival_chart import HEIGHT, WIDTH
from GliomaAILib.output.tables import LABEL_NAMES, SEQUENCE_NAMES, SEVERITY_WORDS, SWATCHES

if TYPE_CHECKING:
    from jinja2 import Template

SEVERITY_SIGNS: Mapping[Severity, str] = {
    Severity.BLOCKING: "✕",
    Severity.WARNING: "!",
    Severity.INFO: "i",
}


def report_html(content: ReportContent) -> str:
    """The report; everything that came from outside is escaped."""
    return _template().render(
        content=content,
        assessment=content.assessment,
        title=TITLE,
        notice=NOTICE,
        caution=CAUTION,
        estimate_caution=ESTIMATE_CAUTION,
        chart_width=WIDTH,
        chart_height=HEIGHT,
        scale_bar_mm=pictures.SCALE_BAR_MM,
        words=_WORDS,
    )


def _gradient() -> str:
    """The colours of uncertainty, for CSS."""
    stops = [f"rgb({r} {g} {b}) {at:.0%}" for at, (r, g, b) in pictures.entropy_stops()]
    return f"linear-gradient(to right, {', '.join(stops)})"


_WORDS: Mapping[str, Any] = {
    "sequences": {name: SEQUENCE_NAMES[name] for name in SEQUENCES},
    "labels": LABEL_NAMES,
    "label_colours": SWATCHES,
    "severities": {str(severity): word for severity, word in SEVERITY_WORDS.items()},
    "severity_signs": {str(severity): sign for severity, sign in SEVERITY_SIGNS.items()},
    "severity_colours": {str(severity): one for severity, one in SEVERITY_COLOURS.items()},
    "for": FOR,
    "against": AGAINST,
    "entropy_gradient": _gradient(),
    "entropy_scale_bits": f"{pictures.ENTROPY_SCALE_BITS:.0f}",
}


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("GliomaAILib.output"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
