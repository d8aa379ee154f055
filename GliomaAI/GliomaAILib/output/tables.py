"""The words and figures of a report, as plain texts: every kind of report lays out the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.assessment.assessment import Assessment, Correction
from GliomaAILib.assessment.measures import Measures
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.colours import LABEL_COLOURS, LABEL_WORDS

SEQUENCE_NAMES: Mapping[str, str] = {"t1": "T1", "t1gd": "T1 + Gd", "t2": "T2", "flair": "FLAIR"}

REGION_WORDS: Mapping[str, str] = {
    "WT": "Whole tumour",
    "TC": "Tumour core",
    "ET": "Enhancing tumour",
}

SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.BLOCKING: "Blocking",
    Severity.WARNING: "Warning",
    Severity.INFO: "Note",
}

LABEL_NAMES: Mapping[str, str] = {label.name: words for label, words in LABEL_WORDS.items()}
SWATCHES: Mapping[str, str] = {label.name: colour for label, colour in LABEL_COLOURS.items()}
PARTS = ("WT", "TC", "ET", "NCR", "ED")
SEX_WORDS: Mapping[str, str] = {"F": "female", "M": "male"}
SIDE_WORDS: Mapping[str, str] = {"left": "Left", "right": "Right", "both": "Both sides"}
SMALLEST_LOBE_SHARE = 0.05
FOCI_SHOWN = 4

NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
NOT_GIVEN = "not given"


@dataclass(frozen=True)
class Card:
    """One of the figures that a reader looks for first."""

    what: str
    value: str
    unit: str
    detail: str


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    cells: tuple[str, ...]
    swatch: str | None = None
    """Colour shown before the first cell."""
    minor: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its title."""

    title: str
    columns: tuple[str, ...]
    """Headings; empty for a table of names and values."""
    numbers: tuple[int, ...]
    """Columns that hold numbers."""
    rows: tuple[Row, ...]
    caption: str = ""
    mark: str = ""
    """A word beside the title."""
    shares: tuple[float, ...] = ()
    """Of the width, by column; empty to follow the texts."""


def number(value: float | None, digits: int = 1) -> str:
    """A number for readers; a dash where there is none."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A share for readers."""
    return NOTHING if value is None else f"{100 * value:.0f} %"


def heading(assessment: Assessment, study: str) -> str:
    """The line under the title: which study, of when."""
    present = [SEQUENCE_NAMES[name] for name in SEQUENCES if name in assessment.sources]
    created = assessment.provenance.created_utc[:16].replace("T", " ")
    return f"Study {study} · sequences {', '.join(present)} · {created} UTC"


def facts_table(facts: ClinicalFacts) -> Table:
    """What is known of the patient beyond the images, with units."""
    age = NOT_GIVEN if facts.age_years is None else f"{facts.age_years:.0f} years"
    kps = NOT_GIVEN if facts.kps is None else f"{facts.kps} of 100"
    values = (
        ("Age", age),
        ("Sex", SEX_WORDS.get(facts.sex or "", NOT_GIVEN)),
        ("Karnofsky performance status", kps),
        ("Resection, planned or done", facts.resection or NOT_GIVEN),
        ("IDH, from tissue", facts.idh or NOT_GIVEN),
        ("1p/19q, from tissue", facts.codeletion_1p19q or NOT_GIVEN),
        ("WHO grade, from tissue", NOT_GIVEN if facts.grade is None else str(facts.grade)),
    )
    rows = tuple(Row(pair, minor=pair[1] == NOT_GIVEN) for pair in values)
    return Table("Clinical facts", (), (), rows, "From image headers and from the user.")


def cards(measures: Measures) -> tuple[Card, ...]:
    """The figures that a reader looks for first."""
    volumes = measures.volumes_ml
    if volumes["WT"] == 0 or measures.rano_region is None:
        return (Card("Result", "No tumour was found", "", "Whole tumour 0 mL"),)
    brain = volumes["WT"] / measures.brain_ml if measures.brain_ml else None
    details = {
        "WT": f"{percent(brain)} of the brain",
        "TC": f"{percent(volumes['TC'] / volumes['WT'])} of the whole",
        "ET": f"{percent(measures.enhancing_proportion_of_core)} of the core",
    }
    pair = measures.diameters[measures.rano_region]
    size = f" {TIMES} ".join(number(mm, 0) for mm in (pair.longest_mm, pair.perpendicular_mm))
    measurable = "measurable" if pair.measurable else "not measurable"
    return (
        *(Card(REGION_WORDS[r], number(volumes[r]), "mL", details[r]) for r in details),
        Card(
            f"Diameters, {REGION_WORDS[measures.rano_region].lower()}",
            size,
            "mm",
            f"axial, perpendicular · {measurable} (RANO)",
        ),
        _place(measures),
    )


def _place(measures: Measures) -> Card:
    side = measures.laterality
    where = SIDE_WORDS[side.side] if side else "Side unknown"
    if measures.location:
        where += f", {measures.location.lobe}"
    count = len(measures.foci["WT"])
    detail = f"{count} {'focus' if count == 1 else 'foci'}"
    if side:
        detail += f" · {'crosses' if side.crosses_midline else 'does not cross'} the midline"
    return Card("Location", where, "", detail)


def volumes_table(measures: Measures, means_bits: Mapping[str, float]) -> Table:
    """Volume by region and label.

    Args:
        measures: of the tumour.
        means_bits: mean entropy by region and label; empty where it is not known.
    """
    whole_ml = measures.volumes_ml["WT"]
    rows = []
    for name in PARTS:
        ml = measures.volumes_ml[name]
        share = percent(ml / whole_ml if whole_ml > 0 else None)
        words = REGION_WORDS.get(name) or LABEL_NAMES[name]
        cells = (f"{words} ({name})", number(ml, 2), share, number(means_bits.get(name), 2))
        rows.append(Row(cells, SWATCHES.get(name), minor=name in ("NCR", "ED")))
    rows.append(Row(("Brain mask", number(measures.brain_ml, 0), "", ""), minor=True))
    return Table("Volumes", ("Part", "mL", "of whole", "mean entropy"), (1, 2, 3), tuple(rows))


def diameters_table(measures: Measures) -> Table:
    """The two diameters by region."""
    rows = tuple(
        Row(
            (
                REGION_WORDS[name],
                number(pair.longest_mm),
                number(pair.perpendicular_mm),
                number(pair.product_mm2, 0),
                "measurable" if pair.measurable else "below 10 mm",
            )
        )
        for name, pair in measures.diameters.items()
    )
    columns = ("Region", "longest mm", "perpend. mm", "product mm²", "RANO")
    return Table("Diameters", columns, (1, 2, 3), rows or (Row(("nothing to measure", *[""] * 4)),))


def location_table(measures: Measures) -> Table:
    """Where the tumour lies."""
    side, place = measures.laterality, measures.location
    left = f"{side.side}, {percent(side.left_share)} left of the midline" if side else NOTHING
    crossed = ("crossed" if side.crosses_midline else "not crossed") if side else NOTHING
    values = (
        ("Side", left),
        ("Midline", crossed),
        ("Lobes", ", ".join(_lobes(place.lobe_shares)) if place else NOTHING),
        ("Centre, patient RAS", _point(measures.centre_ras_mm)),
        ("Centre, ICBM152", _point(place.centre_icbm152_mm if place else None)),
        ("To the ventricles", _distances(place.ventricle_distance_mm if place else None)),
    )
    rows = tuple(Row(pair) for pair in values)
    return Table("Location", (), (), rows, mark="approximate")


def _lobes(shares: Mapping[str, float]) -> Iterator[str]:
    for lobe, share in shares.items():
        if share >= SMALLEST_LOBE_SHARE:
            yield f"{lobe} {percent(share)}"


def _point(point: tuple[float, float, float] | None) -> str:
    return ", ".join(number(v, 0) for v in point) + " mm" if point else NOTHING


def _distances(distances: Mapping[str, float] | None) -> str:
    if not distances:
        return "not known"
    words = {region: "in touch" if mm == 0 else f"{mm:.0f} mm" for region, mm in distances.items()}
    return ", ".join(f"{region} {distance}" for region, distance in words.items())


def foci_table(measures: Measures) -> Table:
    """The largest separate parts."""
    rows = tuple(
        Row(
            (
                REGION_WORDS[region] if index == 0 else "",
                f"{index + 1} of {len(parts)}",
                number(focus.volume_ml, 2),
                number(focus.distance_to_main_mm),
            )
        )
        for region, parts in measures.foci.items()
        for index, focus in enumerate(parts[:FOCI_SHOWN])
    )
    columns = ("Region", "#", "mL", "from the largest, mm")
    return Table("Foci", columns, (1, 2, 3), rows, "Connected parts of at least 0.1 mL.")


def correction_table(correction: Correction) -> Table:
    """What a person changed of the network's mask."""
    rows = [
        Row(
            (f"{LABEL_NAMES[name]} ({name})", str(added), str(correction.removed_voxels[name])),
            SWATCHES[name],
        )
        for name, added in correction.added_voxels.items()
    ]
    overlaps = ", ".join(f"{region} {value:.3f}" for region, value in correction.dice.items())
    caption = f"On the reference's own voxels. Dice with the network's mask: {overlaps}."
    columns = ("Label", "voxels added", "voxels removed")
    return Table("Correction by hand", columns, (1, 2), tuple(rows), caption)


def sources_table(assessment: Assessment) -> Table:
    """Where each sequence came from."""
    rows = []
    for name in SEQUENCES:
        if name in assessment.sources:
            source = assessment.sources[name]
            reference = " (reference)" if name == assessment.reference else ""
            cells = (
                SEQUENCE_NAMES[name] + reference,
                f"{source.format}: {source.description}",
                str(len(source.file_names)),
                "; ".join(source.evidence),
                percent(source.confidence),
                source.sha256[:16],
            )
            rows.append(Row(cells))
    columns = ("Sequence", "Source", "files", "Recognised by", "sure", "SHA-256")
    return Table("Provenance", columns, (2, 4), tuple(rows))


def provenance_lines(assessment: Assessment) -> tuple[tuple[str, str], ...]:
    """How the result came to be, by topic."""
    origin = assessment.provenance
    steps = (f"{step}: {what}" for step, what in assessment.prepared.steps.items())
    packs = (f"{pack.name} {pack.version} ({pack.sha256[:16]})" for pack in origin.model_packs)
    times = (f"{stage} {number(seconds)} s" for stage, seconds in origin.timings_s.items())
    lines = (
        ("Preprocessing", "; ".join(steps)),
        ("Models", "; ".join(packs)),
        ("Engine", origin.engine),
        ("Software", ", ".join(f"{name} {value}" for name, value in origin.software.items())),
        ("Options", ", ".join(f"{name} {value}" for name, value in origin.options.items())),
        ("Time", ", ".join(times)),
    )
    return tuple((topic, text) for topic, text in lines if text)
