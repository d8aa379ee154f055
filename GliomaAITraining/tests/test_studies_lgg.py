"""The study of lower-grade glioma: slices without geometry, the signature, and who sees whom."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lgg_makers import made_up_patients, made_up_slices, write_lgg_data, write_slices

from gliomaai_training.progress import silent
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies import folder, lgg, lgg_cohort, lgg_models, lgg_tables
from gliomaai_training.studies.folder import write_study
from gliomaai_training.studies.lgg_cohort import (
    GRADE,
    HISTOLOGY,
    SIGNATURE,
    SIGNATURE_COLUMN,
    read_lgg,
)
from gliomaai_training.studies.lgg_models import (
    CANDIDATES,
    by_hospital,
    by_patient,
    hospital_folds,
    joint,
    quick_cox,
    screen,
    screened,
)
from gliomaai_training.studies.lgg_signature import (
    FASTER,
    dealt,
    fit_signature,
    nested,
    short_or_long,
)
from gliomaai_training.studies.postoperative_models import Part, fit
from gliomaai_training.studies.slice_features import (
    FORM,
    KINDS,
    SEQUENCES,
    Slices,
    columns_of,
    read_slices,
    slice_features,
)
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.fit_cox import CoxPlan, fit_cox
from gliomaai_training.survival.nomogram import Nomogram
from gliomaai_training.survival.outcome import Outcome, outcome

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
QUICK = replace(FASTER, trees=5)
WHOLE = replace(QUICK, trees=3, search_folds=2, net=replace(QUICK.net, lambdas=6, folds=3))
"""Of the whole study, in which every step has to run and none has to find anything."""


def made_up_part(patients: int, seed: int) -> Part:
    rows = made_up_patients(patients, seed)
    table = pd.DataFrame(
        {
            "patient": rows["patient"],
            "site": rows["patient"].str[5:7],
            "age_years": rows["age"],
            "sex": rows["sex"].str[0],
            GRADE.name: rows["grade"].str[1],
            HISTOLOGY.name: rows["histology"].str.lower(),
        }
    )
    return Part(table, outcome(rows["os_months"], rows["event"]))


def planted(patients: int, seed: int) -> tuple[pd.DataFrame, Outcome]:
    """Noise, but one feature of T1Gd on which survival depends."""
    generator = np.random.default_rng(seed)
    columns = list(dict.fromkeys(name for one in SEQUENCES for name in columns_of(one)))
    table = pd.DataFrame(generator.normal(size=(patients, len(columns))), columns=columns)
    risk = table["t1gd_firstorder_Mean"].to_numpy()
    # Its spread differs between short and long survival too, or Levene's test would drop it.
    table["t1gd_firstorder_Mean"] = np.where(risk > 0, 3 * risk, risk)
    death = generator.exponential(30 / np.exp(1.5 * risk))
    leaving = generator.uniform(20, 120, patients)
    return table, outcome(np.minimum(death, leaving), death <= leaving)


def test_slices_are_measured_without_a_unit_of_brightness() -> None:
    slices = made_up_slices(np.random.default_rng(1))
    found = slice_features(slices)
    assert found is not None
    assert list(found) == [*FORM, *(f"{name}_{kind}" for name in SEQUENCES for kind in KINDS)]
    brighter = Slices({name: 3.0 * one for name, one in slices.images.items()}, slices.tumour)
    again = slice_features(brighter)
    assert again == pytest.approx(found, rel=1e-9)
    assert found["flair_firstorder_Median"] > 100 > abs(found["t1_firstorder_Median"])


def test_form_is_a_share_of_the_head() -> None:
    slices = made_up_slices(np.random.default_rng(1), radius=8.0, size=96)
    found = slice_features(slices)
    assert found is not None
    # Discs of radius 8 and 43.2 pixels, centres 0.1 of 96 pixels off along both axes.
    assert found["largest_share"] == pytest.approx((8 / 43.2) ** 2, rel=0.03)
    assert found["share_of_head"] == pytest.approx(found["largest_share"] / 2, rel=0.03)
    assert found["elongation"] == pytest.approx(1.0, abs=0.05)
    assert found["solidity"] == pytest.approx(0.95, abs=0.05)
    assert found["off_centre"] == pytest.approx(9.6 * np.sqrt(2) / 43.2, rel=0.05)
    assert found["below_middle"] == pytest.approx(-9.6 / 43.2, rel=0.07)


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    slices = made_up_slices(np.random.default_rng(1), radius=2.0)
    assert slice_features(slices) is None
    large = made_up_slices(np.random.default_rng(1))
    dark = Slices({**large.images, "t1": np.zeros_like(large.images["t1"])}, large.tumour)
    with pytest.raises(ValueError, match="t1 is empty"):
        slice_features(dark)
    with pytest.raises(ValueError, match="must be alike"):
        Slices(large.images, large.tumour[:2])
    with pytest.raises(ValueError, match="holds no slices"):
        read_slices(tmp_path / "TCGA-00-0000.npz")
    np.savez(tmp_path / "other.npz", seg=np.zeros(3))
    with pytest.raises(ValueError, match="holds no slices"):
        read_slices(tmp_path / "other.npz")


def test_who_left_early_is_neither_short_nor_long() -> None:
    followed = outcome([1, 2, 3, 4, 5], [1, 0, 1, 1, 0])
    known, short = short_or_long(followed)
    assert known.tolist() == [True, False, True, True, True]
    assert short.tolist() == [True, False, True, False, False]


def test_the_search_finds_the_sequence_that_tells() -> None:
    features, followed = planted(160, 3)
    made = fit_signature(features, followed, QUICK)
    assert made.sequence == "t1gd"
    assert "t1gd_firstorder_Mean" in made.net.features
    unseen, theirs = planted(160, 4)
    assert harrell_c(made.score(unseen), theirs) > 0.65
    document = made.document()
    assert document["sequence"] == "t1gd"
    assert len(document["centre"]) == len(document["net"]["features"])
    with pytest.raises(ValueError, match="the signature needs"):
        made.score(unseen.drop(columns="t1gd_firstorder_Mean"))


def test_a_signature_never_sees_who_is_left_out() -> None:
    features, followed = planted(120, 5)
    fold = dealt(followed, 3, 1)
    before = nested(features, followed, fold, WHOLE)
    generator = np.random.default_rng(6)
    out = fold == 0
    changed = features.copy()
    changed.loc[out] = generator.normal(size=(int(out.sum()), features.shape[1]))
    months = np.where(out, followed.months[::-1] + 1, followed.months)
    other = Outcome(months, np.where(out, ~followed.event, followed.event))
    after = nested(changed, other, fold, WHOLE)
    assert after.without[0].document() == before.without[0].document()
    np.testing.assert_array_equal(after.score[0, ~out], before.score[0, ~out])
    assert after.without[1].document() != before.without[1].document()
    np.testing.assert_array_equal(before.held_out()[out], before.score[0, out])
    np.testing.assert_allclose(
        before.score[0, out], before.without[0].score(features[out]), rtol=1e-12
    )


def test_too_few_deaths_are_refused() -> None:
    features, followed = planted(60, 7)
    few = Outcome(followed.months, followed.event & (np.cumsum(followed.event) <= 3))
    with pytest.raises(ValueError, match=r"needs 4 patients of short and of long"):
        fit_signature(features, few, QUICK)
    none = Outcome(followed.months, np.zeros(60, bool))
    with pytest.raises(ValueError, match="needs 4 patients"):
        fit_signature(features, none, QUICK)
    part = made_up_part(60, 1)
    with pytest.raises(ValueError, match="9 deaths among 60 patients are too few"):
        screen(Part(part.table, Outcome(part.followed.months, np.arange(60) < 9)))


def test_the_screen_lets_in_what_tells() -> None:
    part = made_up_part(400, 2)
    assert c.AGE in screen(part)
    assert GRADE in screen(part)
    assert c.SEX not in screen(part)
    shuffled = part.followed.take(np.random.default_rng(3).permutation(400))
    with pytest.raises(ValueError, match="none of sex is significant"):
        screen(Part(part.table, shuffled), (c.SEX,))


def test_the_quick_model_is_the_model() -> None:
    part = made_up_part(200, 4)
    quick, slow = quick_cox(part, CANDIDATES, "quick"), fit(part, CANDIDATES, "slow", "made up")
    np.testing.assert_allclose(quick.coefficients, slow.model.coefficients, atol=1e-4)
    np.testing.assert_allclose(quick.covariance, slow.model.covariance, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(
        quick.survival(part.table, [12.0, 36.0]),
        slow.model.survival(part.table, [12.0, 36.0]),
        atol=1e-4,
    )


def test_hospitals_stay_whole() -> None:
    part = made_up_part(200, 5)
    fold = hospital_folds(part)
    assert pd.crosstab(part.table["site"], fold).gt(0).sum(axis=1).eq(1).all()
    held_out = by_hospital(part, screened)
    assert harrell_c(held_out.risk(), part.followed) > 0.65
    alone = Part(part.table.assign(site="10"), part.followed)
    with pytest.raises(ValueError, match="one hospital"):
        hospital_folds(alone)


def test_the_signature_is_weighed_by_those_who_have_it() -> None:
    rest, imaged = made_up_part(200, 6), made_up_part(80, 7)
    score = np.random.default_rng(8).normal(size=80)
    signed = Part(imaged.table.assign(**{SIGNATURE_COLUMN: score}), imaged.followed)
    model = joint(rest, signed, (SIGNATURE,), "joint")
    alone = fit(signed, (SIGNATURE,), "alone", "imaged").model
    np.testing.assert_allclose(model.coefficients, alone.coefficients, rtol=1e-4)
    both = joint(rest, signed, (c.AGE, SIGNATURE), "joint")
    groups = [rest.table.assign(signature=0.0, group="no"), signed.table.assign(group="yes")]
    table, followed = c.stacked([(groups[0], rest.followed), (groups[1], signed.followed)])
    plan = CoxPlan("stratified", (c.AGE, SIGNATURE), "made up", "group", "yes")
    stratified = fit_cox(table, followed, plan).model
    np.testing.assert_allclose(both.coefficients, stratified.coefficients, atol=1e-4)
    np.testing.assert_allclose(
        both.survival(signed.table, [12.0, 36.0]),
        stratified.survival(signed.table, [12.0, 36.0]),
        atol=1e-4,
    )
    nothing = 1e-16 * score
    silent_score = Part(imaged.table.assign(**{SIGNATURE_COLUMN: nothing}), imaged.followed)
    without = joint(rest, silent_score, (c.AGE, SIGNATURE), "joint")
    assert without.covariates == ("age_years",)


def test_the_whole_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    write_lgg_data(data, 240, 49, size=32, slices=2)
    for name, value in (("FOLDS", 3), ("DEALS", 1), ("EVERYONE_DEALS", 1), ("CONFIG", WHOLE)):
        monkeypatch.setattr(lgg_models, name, value)
    for name, value in (("FOLDS", 3), ("CONFIG", WHOLE), ("FASTER", WHOLE), ("PERMUTATIONS", 1)):
        monkeypatch.setattr(lgg_tables, name, value)
    monkeypatch.setattr(folder, "FIGURE_SUFFIXES", (".png",))  # test_nomogram.py draws the other
    settings = StudySettings(data, seed=2, resamples=2, cache=tmp_path / "cache")
    result = lgg.study(settings, silent)
    quick = [figure for figure in result.figures if figure.name != "calibration"]
    write_study("lgg", replace(result, figures=tuple(quick)), settings, tmp_path / "out")
    tables = {table.name: table.frame for table in result.tables}
    paper = tables["beside-paper"].set_index("model")
    assert paper.loc["integrated", "paper, external"] == "0.865 (0.851 to 0.879)"
    assert paper.loc["clinical", "n"] == 48  # one lacks T1Gd
    assert float(str(paper.loc["clinical", "here, held out"]).split()[0]) > 0.6
    assert list(tables["sequences"]["sequence"]) == list(SEQUENCES)
    assert set(tables["groups"]["model"]) >= {"clinical", "integrated", "age, WHO 2021"}
    assert tables["permuted"]["permutations"].tolist() == ["", "1"]
    for name in ("clinical-nomogram", "integrated-nomogram", "integrated-groups"):
        assert (tmp_path / "out" / "figures" / f"{name}.png").stat().st_size > 10_000
    nomogram = result.models["clinical-nomogram"]
    assert isinstance(nomogram, Nomogram)
    assert list(nomogram.hazards) == [12.0, 36.0, 60.0]
    assert any("never packed" in limit for limit in result.limits)


def test_small_tumours_and_unknown_words(tmp_path: Path) -> None:
    write_lgg_data(tmp_path, 60, 6)
    tiny = made_up_slices(np.random.default_rng(1), radius=1.5)
    write_slices(tmp_path / "lgg_slices" / "TCGA-13-0003.npz", tiny)
    settings = StudySettings(tmp_path, cache=tmp_path / "cache")
    first, again = read_lgg(settings), read_lgg(settings)
    assert len(first.imaged.followed) == 4  # one lacks T1Gd, one is too small
    assert "TCGA-13-0003" not in set(first.imaged.table["patient"])
    pd.testing.assert_frame_equal(first.features, again.features)
    assert not set(first.rest.table["patient"]) & set(first.imaged.table["patient"])
    table = tmp_path / "lgg_slices" / "patients.csv"
    table.write_text(table.read_text().replace("False", "perhaps"))
    with pytest.raises(ValueError, match="'perhaps' is not mapped"):
        read_lgg(settings)


@pytest.mark.skipif(
    not (DATA / "lgg_slices" / "patients.csv").is_file(),
    reason="the real slices (../shared/data) are not here",
)
def test_real_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmeasured(_: StudySettings, patients: list[str], __: object) -> pd.DataFrame:
        return pd.DataFrame({"one": 1.0}, index=pd.Index(patients, name="patient"))

    monkeypatch.setattr(lgg_cohort, "measured_slices", unmeasured)
    monkeypatch.setattr(lgg_cohort, "mask_measures", lambda _: {"wt_ml": 1.0, "et_ml": 1.0})
    monkeypatch.setattr(lgg_models, "EVERYONE_DEALS", 1)
    found = read_lgg(StudySettings(DATA))
    sizes = [(len(p.followed), p.followed.events) for p in (found.everyone, found.imaged)]
    assert sizes == [(478, 116), (72, 20)]
    assert [term.name for term in screen(found.rest)] == [
        "age_years",
        "tumour_grade",
        "histology",
    ]
    predicted = by_patient(found.everyone, screened, 1)
    assert harrell_c(predicted.risk(), found.everyone.followed) > 0.77
    slices = read_slices(DATA / "lgg_slices" / "TCGA-CS-4941.npz")
    measured = slice_features(slices)
    assert measured is not None
    assert np.isfinite(list(measured.values())).all()
    assert measured["flair_firstorder_Median"] > 0
