"""The data dictionary: what each column of a clinical cohort means and which values it can have.

`clinical.ClinicalCohort` checks its tables against it, and the documentation is written from it.
"""

from dataclasses import dataclass

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.vocabulary import CLINICAL_WORDS, KPS_STEP, MAX_AGE_YEARS, WHO_GRADES

HISTOLOGIES = (
    "glioblastoma",
    "astrocytoma",
    "oligodendroglioma",
    "oligoastrocytoma",
    "glioma, not specified",
)
MGMT = ("methylated", "unmethylated")


@dataclass(frozen=True)
class Variable:
    """One column: text with its words, or a number (float64, NaN for unknown) with its range."""

    name: str
    meaning: str
    words: tuple[str, ...] = ()
    """Of a text that takes one of a few values; unknown is None."""
    numbers: tuple[float, ...] = ()
    """Of a number that takes one of a few values."""
    low: float | None = None
    high: float | None = None
    unit: str = ""
    required: bool = False
    """Never unknown."""

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return bool(self.numbers) or self.low is not None

    @property
    def values(self) -> str:
        """What the column can hold, in words."""
        if self.words:
            return ", ".join(self.words)
        if self.numbers:
            return ", ".join(f"{number:g}" for number in self.numbers)
        if self.low is None:
            return "text"
        bounds = f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:g}"
        return f"{bounds} {self.unit}".strip()


VARIABLES = (
    Variable(
        "patient",
        "One key for one person across all tables: the TCGA barcode where there is one, else the "
        "name in the collection. The unit of every split.",
        required=True,
    ),
    Variable("case", "The row's own name in its source table.", required=True),
    Variable("cohort", "The cohort that the row belongs to.", required=True),
    Variable("site", "The hospital as the source codes it: in TCGA the barcode's second part."),
    Variable(
        "aliases",
        "Other names of the same person in public collections, separated by spaces; rows that "
        "share a name are never parted by a split.",
    ),
    Variable("age_years", "Age at diagnosis.", low=0.0, high=MAX_AGE_YEARS, unit="years"),
    Variable("sex", "Sex as registered.", CLINICAL_WORDS["sex"]),
    Variable(
        "kps",
        "Karnofsky performance status before surgery.",
        numbers=tuple(float(score) for score in range(KPS_STEP, 101, KPS_STEP)),
    ),
    Variable(
        "who_state",
        "Diagnosis of WHO 2021 with its grade, where published as such or decided by the "
        "molecular facts.",
        WHO_STATES,
    ),
    Variable(
        "possible_states",
        "The WHO states that agree with all that is known, separated by spaces. NEC, not elsewhere "
        "classified, is among them where the tumour may be none of the six: IDH wild-type of lower "
        "grade, the molecular markers of glioblastoma absent or not looked for.",
    ),
    Variable("idh", "IDH1 or IDH2, measured.", CLINICAL_WORDS["idh"]),
    Variable(
        "codeletion_1p19q",
        "Whole-arm co-deletion of 1p and 19q, measured.",
        CLINICAL_WORDS["codeletion_1p19q"],
    ),
    Variable(
        "grade",
        "Grade of WHO 2021, where all possible states share it.",
        numbers=tuple(float(grade) for grade in WHO_GRADES),
    ),
    Variable(
        "reported_grade",
        "Grade as the source gives it: under the microscope and before WHO 2021 for TCGA and BraTS "
        "(whose high-grade cases count as 4), of the final diagnosis for UCSF-PDGM.",
        numbers=tuple(float(grade) for grade in WHO_GRADES),
    ),
    Variable("histology", "Diagnosis under the microscope, as reported.", HISTOLOGIES),
    Variable("mgmt", "Methylation of the MGMT promoter.", MGMT),
    Variable("resection", "Extent of the first resection.", CLINICAL_WORDS["resection"]),
    Variable(
        "months",
        "Survival: from diagnosis or first surgery, as the source counts it, to death or last "
        "contact.",
        low=0.0,
        unit="months",
    ),
    Variable(
        "event", "Whether `months` ended in death (1) or last contact (0).", numbers=(0.0, 1.0)
    ),
)

COLUMNS = tuple(variable.name for variable in VARIABLES)


def dictionary_markdown() -> str:
    """The data dictionary as a table in Markdown."""
    lines = ["| column | values | meaning |", "|-|-|-|"]
    for variable in VARIABLES:
        lines.append(f"| `{variable.name}` | {variable.values} | {variable.meaning} |")
    return "\n".join(lines) + "\n"
