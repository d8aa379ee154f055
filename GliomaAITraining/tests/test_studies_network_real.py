"""A network's features on real patients: nested, compared within hospitals, nothing leaks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lgg_makers import made_up_patients, write_lgg_data
from numpy.typing import NDArray
from study_makers import write_rows

from gliomaai_training.evaluation.bootstrap import Interval
from gliomaai_training.evaluation.features.table import DeepFeatures, write_deep_features
from gliomaai_training.progress import silent
from gliomaai_training.studies import few_components as few
from gliomaai_training.studies import (
    lgg_models,
    lgg_network,
    network_real,
    network_real_cohorts,
    stacked_classifier,
)
from gliomaai_training.studies import network_real_answers as a
from gliomaai_training.studies.few_components import Columns
from gliomaai_training.studies.folder import write_study
from gliomaai_training.studies.lgg_cohort import read_lgg
from gliomaai_training.studies.lgg_signature import FASTER, NETWORK, choices
from gliomaai_training.studies.slice_features import SEQUENCES, columns_of
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.outcome import Outcome, outcome

PROVENANCE = {
    "format": "gliomaai deep features",
    "version": 1,
    "networks": [
        {"fold": 0, "run": "tiny", "sha256": "ab" * 32, "left_out": "0 of 2", "patients": 3},
        {"fold": 1, "run": "tiny", "sha256": "cd" * 32, "left_out": None, "patients": 3},
    ],
}
PATIENTS = 80
"""With slices."""


def write_features(file: Path, patients: list[str], told: NDArray[np.float64], folds: int) -> None:
    """Features of which the first is what is given, and seven are noise."""
    generator = np.random.default_rng(3)
    values = np.column_stack([told, generator.normal(size=(len(patients), 7))])
    rows = pd.DataFrame(values, columns=[f"deep_{n}" for n in range(8)])
    rows.insert(0, "fold", np.arange(len(patients)) % folds)
    rows.insert(0, "patient", patients)
    write_deep_features(DeepFeatures(rows, PROVENANCE), file)


def write_volumes(data: Path, patients: int) -> pd.DataFrame:
    """The table of made-up volumes, half of TCGA."""
    made = made_up_patients(patients, 7)
    names = [f"BraTS20_Training_{n:03d}" for n in range(patients)]
    rows: list[dict[str, object]] = [
        {
            "id": f"vol-{n:03d}",
            "source_case": name,
            "patient": name,
            "grade": "4(HGG)",
            "subtype": "unknown",
            "age": f"{row['age']:.1f}",
            "os_days": f"{row['os_months'] * 30.4375:.1f}",
            "event": f"{row['event']:.1f}",
        }
        for n, (name, row) in enumerate(zip(names, made.to_dict("records"), strict=True))
    ]
    write_rows(data / "volumes" / "volumes.csv", rows)
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly any choice in the inner folds, and few of them."""
    for name, value in (("INVERSE_PENALTIES", (0.3,)), ("SPREADS", (0.1, 0.4))):
        monkeypatch.setattr(few, name, value)
    monkeypatch.setattr(stacked_classifier, "INNER_FOLDS", 2)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudySettings:
    """Slices whose network tells IDH, and volumes whose networks tell nothing."""
    data = tmp_path / "data"
    write_lgg_data(data, 120, PATIENTS, size=32, slices=2)
    slices = pd.read_csv(data / "lgg_slices" / "patients.csv", dtype=str)
    mutant = (slices["idh"] == "Mutant").to_numpy()
    told = 3.0 * mutant + np.random.default_rng(1).normal(size=PATIENTS)
    write_features(tmp_path / "deep" / "lgg_slices.csv", slices["patient"].tolist(), told, 1)
    volumes = write_volumes(data, 60)
    noise = np.random.default_rng(2).normal(size=60)
    write_features(tmp_path / "deep" / "volumes.csv", volumes["patient"].tolist(), noise, 3)

    def radiomics(*_: object) -> pd.DataFrame:
        values = np.random.default_rng(4).normal(size=(60, 6))
        return pd.DataFrame(values, pd.Index(volumes["id"], name="case"))

    monkeypatch.setattr(network_real_cohorts, "volume_features", radiomics)
    monkeypatch.setattr(network_real, "PERMUTATIONS", 1)
    return StudySettings(data, 1, 1000, tmp_path / "cache", features=tmp_path / "deep")


def test_the_whole_study(settings: StudySettings, tmp_path: Path) -> None:
    result = network_real.study(settings, silent)
    write_study("network-real", result, settings, tmp_path / "out")
    tables = {table.name: table for table in result.tables}
    asked = tables["patients"].frame.set_index(["cohort", "question"])["asked"]
    assert asked["lgg_slices", "IDH mutation"] == "yes"
    assert asked["volumes", "IDH mutation"] == "no: too few"
    lgg = tables["answers-lgg-slices"]
    rows = {(row["question"], row["told"]): row for row in lgg.frame.to_dict("records")}
    found = rows["IDH mutation", "network"]
    assert found["against chance"] == "above"
    assert float(found["AUC, or C of survival"].split()[0]) > 0.75
    assert ("survival", "age, sex, radiomics and network") in rows
    assert "With the network: IDH mutation from network is above chance" in lgg.reading
    volumes = tables["answers-volumes"]
    assert set(volumes.frame["question"]) == {"survival"}
    assert "no claim" in volumes.frame.set_index("told").loc["network", "against chance"]
    assert "of the network alone there is no claim that it tells survival" in (
        volumes.reading.lower()
    )
    differences = tables["differences"].frame.to_dict("records")
    gain = next(row for row in differences if row["told"] == "network")
    assert gain["difference"].startswith("+")
    permuted = tables["permuted"].frame["mean"].astype(float)
    assert permuted.between(0.2, 0.8).all()
    assert (tmp_path / "out" / "figures" / "answers.png").stat().st_size > 10_000


def test_a_changed_or_absent_table_is_refused(settings: StudySettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs --features FOLDER"):
        network_real.study(replace(settings, features=None), silent)
    table = tmp_path / "deep" / "lgg_slices.csv"
    rows = pd.read_csv(table)
    # The answer itself, planted into a table that was honestly made.
    rows["deep_7"] = rows["deep_0"]
    rows.to_csv(table, index=False)
    with pytest.raises(ValueError, match=r"is not the table that lgg_slices\.json tells of"):
        network_real.study(settings, silent)
    (tmp_path / "deep" / "volumes.csv").unlink()
    write_features(table, rows["patient"].tolist(), np.zeros(len(rows)), 1)
    with pytest.raises(ValueError, match=r"has no volumes.csv: make it with `gliomaai-train feat"):
        network_real.study(settings, silent)


def test_hospitals_are_left_out_whole_and_compared_within(settings: StudySettings) -> None:
    lgg, volumes = network_real_cohorts.read_real(settings, settings.features or Path(), silent)
    sites = lgg.table["site"].to_numpy()
    assert pd.crosstab(sites, lgg.fold).gt(0).sum(axis=1).eq(1).all()
    assert lgg.unread == 0
    # The first patient has no T1Gd: whatever the file holds, nothing of it is known.
    order = list(dict.fromkeys(n for s in SEQUENCES for n in columns_of(s)))
    unknown = np.isnan(lgg.blocks[network_real_cohorts.RADIOMICS][0])
    assert unknown.sum() == sum(name.startswith("t1gd_") for name in order)
    # Three networks: their offsets are gone.
    network = volumes.blocks[network_real_cohorts.NETWORK]
    means = [network[volumes.fold == number].mean(axis=0) for number in range(3)]
    np.testing.assert_allclose(means, 0, atol=1e-9)
    question = next(iter(a.questions(lgg)))
    pairs = question.pairs()
    assert all(
        set(question.fold[row]) == {question.fold[worse]}
        for worse, row in zip(pairs.worse, pairs.comparable, strict=True)
    )
    # A score that knows the hospital alone orders nobody.
    assert pairs.share(question.fold.astype(float))[0] == pytest.approx(0.5)


def test_patients_of_another_network_count_as_unknown(settings: StudySettings) -> None:
    folder = settings.features or Path()
    rows = pd.read_csv(folder / "lgg_slices.csv")
    rows.loc[:2, "fold"] = 1
    write_deep_features(DeepFeatures(rows, PROVENANCE), folder / "lgg_slices.csv")
    lgg, _ = network_real_cohorts.read_real(settings, folder, silent)
    assert lgg.unread == 3
    assert "features count as unknown: 3 of lgg_slices" in network_real._networks([lgg]).reading


def planted(patients: int, seed: int) -> tuple[Columns, NDArray[np.bool_], Outcome]:
    """Two blocks, the wider of which tells the fact and the survival; with gaps."""
    generator = np.random.default_rng(seed)
    cause = generator.normal(size=patients)
    wide = generator.normal(0, 0.3, (patients, 12)) + cause[:, None]
    wide[generator.random(wide.shape) < 0.1] = np.nan
    death = generator.exponential(20 / np.exp(cause))
    leaving = generator.uniform(10, 80, patients)
    columns = Columns.of([generator.normal(size=(patients, 2)), wide])
    followed = outcome(np.minimum(death, leaving), death <= leaving)
    return columns, cause + generator.normal(0, 0.3, patients) > 0, followed


def test_few_components_find_what_is_there() -> None:
    columns, truth, followed = planted(100, 2)
    fold = np.arange(100) % 4
    probability = few.held_out_probabilities(columns, truth, fold)
    assert ((probability > 0.5) == truth).mean() > 0.8
    assert harrell_c(few.held_out_risks(columns, followed, fold, 1), followed) > 0.7


def test_who_is_left_out_takes_no_part() -> None:
    columns, truth, followed = planted(80, 2)
    fold = np.arange(80) % 4
    out = fold == 1
    other = truth.copy()
    other[out] = ~other[out]
    for one, two in (
        (
            few.held_out_probabilities(columns, truth, fold),
            few.held_out_probabilities(columns, other, fold),
        ),
        (
            few.held_out_risks(columns, followed, fold, 1),
            few.held_out_risks(
                columns,
                Outcome(np.where(out, followed.months[::-1], followed.months), followed.event),
                fold,
                1,
            ),
        ),
    ):
        np.testing.assert_allclose(one[out], two[out], rtol=1e-9)
        assert not np.allclose(one[~out], two[~out])
    # Nor do the features of one patient left out move the score of another.
    values = columns.values.copy()
    values[np.flatnonzero(out)[0]] = 50.0
    moved = few.held_out_probabilities(Columns(values, columns.widths), truth, fold)
    rest = np.flatnonzero(out)[1:]
    same = few.held_out_probabilities(columns, truth, fold)
    np.testing.assert_allclose(moved[rest], same[rest], rtol=1e-9)


@pytest.mark.parametrize(
    ("low", "high", "p", "says"),
    [
        (0.45, 0.75, 0.01, "covers chance: no claim"),
        (0.51, 0.75, 0.01, "above"),
        (0.51, 0.75, 0.2, "above, but one of many: no claim"),
        (0.2, 0.45, 0.01, "below"),
    ],
)
def test_an_interval_that_covers_chance_claims_nothing(
    low: float, high: float, p: float, says: str
) -> None:
    assert a.claim(Interval(0.5, low, high), 0.5, p, ("above", "below"), "chance") == says


# The signature of lower-grade glioma


def test_a_signature_chooses_among_what_there_is() -> None:
    radiomics = list(dict.fromkeys(name for one in SEQUENCES for name in columns_of(one)))
    table = pd.DataFrame(np.zeros((1, len(radiomics) + 1)), columns=[*radiomics, "deep_0"])
    assert choices(table[radiomics]) == {one: columns_of(one) for one in SEQUENCES}
    assert choices(table) == {one: [*columns_of(one), "deep_0"] for one in SEQUENCES}
    assert choices(table[["deep_0"]]) == {NETWORK: ["deep_0"]}


def test_the_signature_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(FASTER, trees=3, search_folds=2, net=replace(FASTER.net, lambdas=6, folds=3))
    for name, value in (("FOLDS", 3), ("DEALS", 1), ("CONFIG", quick)):
        monkeypatch.setattr(lgg_models, name, value)
    data = tmp_path / "data"
    write_lgg_data(data, 200, 60, size=32, slices=2)
    settings = StudySettings(data, seed=2, resamples=20, cache=tmp_path / "cache")
    lgg = read_lgg(settings)
    assert lgg_network.network_side(lgg, lgg_models.CANDIDATES[:1], settings, silent) is None
    assert lgg_network.network_tables(None, settings) == []
    patients = lgg.imaged.table["patient"].tolist()
    told = np.where(lgg.imaged.followed.event, 3.0, 1.0) * np.random.default_rng(1).normal(
        1, 0.2, len(patients)
    )
    file = tmp_path / "deep.csv"
    write_features(file, patients, told, 1)
    rows = pd.read_csv(file)
    rows.loc[:1, "fold"] = 1  # two were read by another network
    rows.to_csv(file, index=False)
    side = lgg_network.network_side(
        lgg, lgg_models.CANDIDATES[:1], replace(settings, features=file), silent
    )
    assert side is not None
    assert len(side.lgg.imaged.followed) == len(patients) - 2
    tables = {table.name: table for table in lgg_network.network_tables(side, settings)}
    assert set(tables["network"].frame["model"]) == {
        "clinical",
        *(f"clinical and {one} signature" for one in lgg_network.SOURCES),
        *(f"age, histology, {one} signature" for one in lgg_network.SOURCES),
    }
    made = tables["network-features"].frame.set_index("signature")
    assert made.loc["radiomics", "of ten features, the network's"] == "0.0"
    assert made.loc["CNN", "of ten features, the network's"] == "10.0"
    assert float(str(made.loc["CNN", "C within folds"]).split()[0]) > 0.6
    pairs = tables["network-differences"].frame[["model", "compared with"]].to_numpy().tolist()
    assert ["clinical and CNN + radiomics signature", "clinical and radiomics signature"] in pairs
