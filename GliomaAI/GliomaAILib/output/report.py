"""`report.html`: an assessment for readers, in one self-contained file."""

from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.output.document import NOTICE


def report_html(assessment: Assessment) -> str:
    """The report; everything that came from outside is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("GliomaAILib.output"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html.j2").render(assessment=assessment, notice=NOTICE)
