"""The survival studies on the real tables; every figure here is one that the studies report."""

from pathlib import Path

import numpy as np
import pytest

from gliomaai_training.covariates import is_known
from gliomaai_training.studies.mask_measures import measure_mask
from gliomaai_training.studies.postoperative_models import (
    PLAIN,
    Cohorts,
    clinic_models,
    fit,
    read_cohorts,
    with_published_resection,
)
from gliomaai_training.studies.tumour_tables import read_mask
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.cox_model import CoxModel

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "tables" / "tcga_glioma.csv").is_file(),
    reason="the real tables (../shared/data) are not here",
)


@pytest.fixture(scope="module")
def cohorts() -> Cohorts:
    return read_cohorts(DATA)


def concordances(cohorts: Cohorts, model: CoxModel) -> tuple[float, float]:
    """Harrell's C in all of UCSF-PDGM, and within glioblastoma."""
    test = cohorts.test
    inside = (test.table["who_state"] == "GBM").to_numpy()
    risk = model.risk(test.table)
    return harrell_c(risk, test.followed), harrell_c(risk[inside], test.followed.take(inside))


def test_who_is_analysed(cohorts: Cohorts) -> None:
    assert (len(cohorts.training.followed), cohorts.training.followed.events) == (651, 266)
    assert (len(cohorts.stated.followed), cohorts.stated.followed.events) == (583, 215)
    assert (len(cohorts.test.followed), cohorts.test.followed.events) == (344, 170)
    assert not set(cohorts.training.table["patient"]) & set(cohorts.test.table["patient"])


def test_a_model_of_tcga_beats_the_marks_in_ucsf(cohorts: Cohorts) -> None:
    """A plain Cox model on age, sex and WHO state was said to reach .72 and .63."""
    chosen = fit(cohorts.training, PLAIN.terms, "chosen", "TCGA").model
    pooled, inside = concordances(cohorts, chosen)
    assert pooled > 0.73
    assert inside > 0.635
    pooled, inside = concordances(cohorts, with_published_resection(chosen))
    assert pooled > 0.755
    assert inside > 0.68


def test_the_clinic_knows_what_the_models_ask_for(cohorts: Cohorts) -> None:
    models = clinic_models(cohorts, PLAIN.terms)
    assert list(models) == [
        "postoperative",
        "postoperative-without-resection",
        "postoperative-age-state",
    ]
    for model in models.values():
        assert all(is_known(name) for name in model.covariates)
    state = {"GBM": 0.7, "A4": 0.2, "O3": 0.1}
    patient = {"age_years": [61.0], "sex": ["F"], "who_state": [state], "resection": ["biopsy"]}
    alive = models["postoperative"].survival(patient, [12.0, 24.0])[0]
    assert 0.02 < alive[1] < alive[0] < 0.9


def test_a_mask_of_brats_measures_what_its_file_says() -> None:
    file = DATA / "brats20_masks" / "BraTS20_Training_002.npz"
    with np.load(file) as arrays:
        counts = np.bincount(arrays["seg"].ravel(), minlength=4)
    found = measure_mask(read_mask(file))
    voxel_ml = 1.875**2 * (155 / 128) / 1000
    assert found["wt_ml"] == pytest.approx(counts[1:].sum() * voxel_ml)
    assert found["et_ml"] == pytest.approx(counts[3] * voxel_ml)
    assert found["side"] == "right"
