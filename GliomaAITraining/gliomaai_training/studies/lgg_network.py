"""The signature of lower-grade glioma with a network's features: CNN, and CNN with radiomics.

The paper puts 512 features of its CNN beside radiomics, and six of its ten come from there. Here
they come from `gliomaai-train features`, so from a network that never saw the patient; everything
after that, the choice among them included, is made inside the folds as for radiomics alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from gliomaai_training.progress import Progress
from gliomaai_training.radiomics.further import read_further_features
from gliomaai_training.studies import lgg_tables as t
from gliomaai_training.studies.lgg_cohort import SIGNATURE, Lgg
from gliomaai_training.studies.lgg_models import INTEGRATED, Crossed, cross, nested_signatures
from gliomaai_training.studies.postoperative_models import Part
from gliomaai_training.studies.scores import difference_table
from gliomaai_training.studies.study import StudySettings, StudyTable
from gliomaai_training.survival.term_plan import TermPlan

CLINICAL = "clinical"
RADIOMICS, CNN, BOTH = "radiomics", "CNN", "CNN + radiomics"
SOURCES = (RADIOMICS, CNN, BOTH)
"""What a signature may be made of."""


@dataclass(frozen=True, eq=False)
class NetworkSide:
    """The imaged patients whom one network read, and what each signature says of them held out."""

    lgg: Lgg
    prefix: str
    """Of the network's columns."""
    crossed: Mapping[str, Crossed]
    """By source."""


def network_side(
    lgg: Lgg, terms: tuple[TermPlan, ...], settings: StudySettings, progress: Progress
) -> NetworkSide | None:
    """Signatures of all sources in the same patients; None without a table of features.

    Args:
        lgg: the cohorts.
        terms: of the clinical model.
        settings: names the table.
        progress: told after each source.

    Raises:
        ValueError: the table cannot be read or is of other patients, or deaths are too few.
    """
    if settings.features is None:
        return None
    own = read_further_features(settings.features).of(lgg.imaged.table["patient"])
    read = own.of_largest_model()
    rows = lgg.imaged.table["patient"].isin(read.columns.index).to_numpy()
    part = lgg.imaged.take(rows)
    deep = read.columns.loc[part.table["patient"]].reset_index(drop=True)
    radiomics = lgg.features[rows].reset_index(drop=True)
    columns = {RADIOMICS: radiomics, CNN: deep, BOTH: pd.concat([radiomics, deep], axis=1)}
    models = {
        CLINICAL: terms,
        "clinical and signature": (*terms, SIGNATURE),
        "age, histology, signature": INTEGRATED,
    }
    crossed = {}
    for number, (source, features) in enumerate(columns.items(), start=1):
        some = replace(lgg, imaged=Part(part.table, part.followed), features=features)
        crossed[source] = cross(some, nested_signatures(some, settings.seed), models)
        progress("signatures with a network", number / len(columns))
    return NetworkSide(replace(lgg, imaged=part, features=radiomics), read.prefix, crossed)


def network_tables(side: NetworkSide | None, settings: StudySettings) -> list[StudyTable]:
    """The rows that the paper has, in patients held out."""
    if side is None:
        return []
    judged = t.judged_of(side.lgg.imaged, settings)
    predicted = {CLINICAL: side.crossed[RADIOMICS].held_out[CLINICAL].predicted}
    for source, crossed in side.crossed.items():
        for name, held_out in crossed.held_out.items():
            if name != CLINICAL:
                predicted[name.replace("signature", f"{source} signature")] = held_out.predicted
    risk = {name: one.risk() for name, one in predicted.items()}
    beside = {source: f"clinical and {source} signature" for source in SOURCES}
    pairs = [(name, CLINICAL) for name in beside.values()]
    pairs += [(beside[CNN], beside[RADIOMICS]), (beside[BOTH], beside[RADIOMICS])]
    differences = difference_table(
        [(ours, risk[ours], theirs, risk[theirs]) for ours, theirs in pairs], judged
    )
    return [
        StudyTable(
            "network",
            "Signatures with a network's features, patients held out",
            t.ladder(predicted, judged, {}),
            "The patients with slices whom one network read, without having seen any of them. A "
            "signature is made inside the folds, of ten features whatever they come from.",
        ),
        StudyTable(
            "network-differences",
            "What a network's features add to the signature",
            differences,
            _added(differences),
        ),
        StudyTable(
            "network-features",
            "How the signatures are made up",
            _made_of(side, settings),
            "C of the signature alone, of pairs of one fold. Of the ten features that the forest "
            "keeps, the paper's has six of its network. Where the elastic net keeps nothing, the "
            "signature is 0 for everybody.",
        ),
    ]


def _added(differences: pd.DataFrame) -> str:
    everyone = differences[differences["patients"] == "all"]
    gains = [
        f"{row['model']} over {row['compared with']}"
        for row in everyone.to_dict("records")
        if "(+" in row["difference of C"]
    ]
    if gains:
        return f"Better in the same patients: {'; '.join(gains)}. p not adjusted for their number."
    return (
        "Every interval covers no difference, or lies below it: no claim that the network adds to "
        "the clinical model or to radiomics. p not adjusted for their number."
    )


def _made_of(side: NetworkSide, settings: StudySettings) -> pd.DataFrame:
    rows = []
    for source, crossed in side.crossed.items():
        made = [one for deal in crossed.signatures for one in deal.without]
        kept = [name for one in made for name in one.kept]
        network = sum(name.startswith(f"{side.prefix}_") for name in kept)
        empty, every = t.empty_scores(crossed)
        rows.append(
            {
                "signature": source,
                "C within folds": str(t.signature_c(crossed, side.lgg.imaged.followed, settings)),
                "of ten features, the network's": f"{10 * network / len(kept):.1f}",
                "nothing kept": f"{empty} of {every} training parts",
            }
        )
    return pd.DataFrame(rows)
