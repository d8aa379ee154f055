"""Lower-grade glioma after Xu et al. 2022: the nomogram, the signature, and what either adds.

Nothing is fitted to a patient in whom it is judged, but where a row says so. The clinical terms are
screened in patients of TCGA-LGG without slices; the signature and its weight are made inside the
folds of those with slices.
"""

from gliomaai_training.cohorts import brats, lgg_slices, tcga, ucsf_pdgm
from gliomaai_training.progress import Progress
from gliomaai_training.studies import lgg_tables as t
from gliomaai_training.studies.lgg_cohort import read_lgg
from gliomaai_training.studies.lgg_models import DEALS, FOLDS
from gliomaai_training.studies.lgg_network import network_side, network_tables
from gliomaai_training.studies.lgg_report import clinical_tables, figures, imaged_tables, permuted
from gliomaai_training.studies.lgg_sides import clinical_side, imaged_side
from gliomaai_training.studies.lgg_signature import CONFIG
from gliomaai_training.studies.study import StudyResult, StudySettings
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.nomogram import Nomogram, make_nomogram

TITLE = "Lower-grade glioma: nomogram and signature"
PURPOSE = (
    "The nomogram and the radiomics signature of the third published system (Xu et al., Front "
    "Oncol 2022;12:969907) on TCGA-LGG: a clinical model, the paper's integrated one (age, "
    "histology, signature), and what the signature adds to the clinical model and to the WHO 2021 "
    "state. The clinical terms are screened in patients without slices; who is held out takes no "
    "part in any fit. The signature (best sequence, ten features of a forest, elastic-net Cox) is "
    f"made inside {FOLDS} folds of the patients with slices, {DEALS} times; where it enters a "
    "model, the scores that weigh it come from inner folds again."
)
CRITIQUE = (
    "The paper: its “internal validation” is the training cohort; its intervals (± .014 at n = 61) "
    "are too narrow for patients, probably of repeated runs; its BraTS cases both trained the "
    "segmentation and served as the external test; five-year survival cannot be known of patients "
    "recruited 2018 to 2021; no molecular data. Its Tables 3 and 4 with the hazard ratios were not "
    "available."
)
NO_NETWORK = "none of its 512 features of a network; "
"""Among the limits, where no table of such features is given."""
LIMITS = (
    CRITIQUE,
    f"Computing was short: forests of {CONFIG.trees} trees, an SVM of scikit-learn's defaults "
    f"without grid search, {DEALS} deals into folds. What the signature does depends on them; none "
    "was chosen by its result.",
    "Not like the paper: T1, T1Gd and FLAIR (it has T1, T1Gd, T2); slices without pixel size or "
    "gap, so that texture is of single slices and size a share of the head; no wavelets; "
    f"{NO_NETWORK}whole FLAIR abnormality as the tumour; no radiologist's reading of enhancement.",
    "There is no second cohort with images and survival of lower-grade glioma here: with images, "
    "all is cross-validation within TCGA-LGG.",
    "The slices' masks are CC BY-NC-SA: the signature is kept with the study and never packed.",
    "Histology is of the microscope before 2016; oligoastrocytoma no longer exists.",
)


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study.

    Raises:
        ValueError: a table or file is missing or cannot be read, or deaths are too few.
    """

    def within(first: float, last: float) -> Progress:
        return lambda stage, done: progress(stage, first + (last - first) * done)

    progress("cohorts", 0.0)
    lgg = read_lgg(settings, within(0.0, 0.15))
    progress("clinical models", 0.15)
    clinical = clinical_side(lgg, settings)
    imaged = imaged_side(lgg, clinical.terms, settings, within(0.3, 0.6))
    progress("tables", 0.6)
    tables = [
        *clinical_tables(lgg, clinical, settings),
        *imaged_tables(lgg, clinical, imaged, settings),
    ]
    side = network_side(lgg, clinical.terms, settings, within(0.65, 0.75))
    tables += network_tables(side, settings)
    progress("permutations", 0.75)
    tables.append(permuted(lgg, imaged.crossed, settings))
    drawn = _nomograms(clinical.model, imaged.integrated)
    progress("done", 1.0)
    signature = imaged.apparent.signature
    limits = LIMITS if side is None else [one.replace(NO_NETWORK, "") for one in LIMITS]
    return StudyResult(
        TITLE,
        PURPOSE,
        tuple(tables),
        (tcga.TABLE, lgg_slices.TABLE.parent, brats.MASKS_TABLE.parent, ucsf_pdgm.TABLE),
        {
            "folds": FOLDS,
            "deals": DEALS,
            "signature": CONFIG,
            "clinical terms": [term.name for term in clinical.terms],
            "horizons_months": t.HORIZONS,
        },
        figures(lgg, clinical, imaged, drawn, settings),
        {
            "clinical": clinical.model,
            "integrated": imaged.integrated,
            "signature": signature,
            **{f"{name}-nomogram": one for name, one in drawn.items()},
        },
        (*limits, *lgg.cohort.limits, *lgg_slices.LIMITS, *lgg.external_cohort.limits),
    )


def _nomograms(clinical: CoxModel, integrated: CoxModel) -> dict[str, Nomogram]:
    return {
        "clinical": make_nomogram(clinical, horizons_months=t.HORIZONS),
        "integrated": make_nomogram(integrated, horizons_months=t.HORIZONS),
    }
