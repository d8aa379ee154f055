"""Deep features: what they are, and that nobody is read by a network that saw them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from cohort_makers import write_clinical_cohort, write_cohort
from lgg_makers import made_up_slices, write_slices
from multitask_makers import COHORT, TINY, settings_of, write_multitask_pack
from numpy.typing import NDArray

from gliomaai_training.cli import main
from gliomaai_training.cohorts import lgg_slices
from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.cohorts.splits import split_fold
from gliomaai_training.data.case_store import StoredCase, convert_case
from gliomaai_training.evaluation.features import slices
from gliomaai_training.evaluation.features.networks import FeatureNetwork, open_network, unseen_by
from gliomaai_training.evaluation.features.table import FeatureCohort, read_provenance
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.deep_features import FeatureReader
from gliomaai_training.inference.model_pack import CARD, ModelPack, write_model_pack
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.networks.build import build_network
from gliomaai_training.networks.pooling import POOLED_REGIONS
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.radiomics.further import read_further_features
from gliomaai_training.training.checkpoint import save_finished
from gliomaai_training.training.config import CohortConfig, FitConfig, PhaseConfig
from gliomaai_training.training.run_folder import RunRecord, write_record, write_stages
from gliomaai_training.vocabulary import SEQUENCES, Label

CPU = EngineConfig(device="cpu", engine="torch", precision="fp32")
NETWORK = {"architecture": "segmentation", **TINY}
PATIENTS = ("A", "B", "C", "D", "E", "F")
OWN = CohortConfig(name="tiny", table=Path("cohort/cohort.csv"))


def segmentation_pack(folder: Path) -> ModelPack:
    torch.manual_seed(1)
    weights = build_network(NETWORK).state_dict()
    section = {
        "task": "segmentation",
        "network": NETWORK,
        "voxel_mm": 1.25,
        "normalisation": NORMALISATION,
    }
    metadata = {"name": "tiny", "version": "0", "gliomaai": section}
    return write_model_pack(folder, metadata, weights, {CARD: b"# Of random weights\n"})


def write_run(
    folder: Path,
    fold: int | None = 0,
    cohorts: tuple[CohortConfig, ...] = (OWN,),
    started_from: str | None = None,
) -> Path:
    """A run that ended with random weights."""
    config = FitConfig(
        name="tiny", network=NETWORK, cohorts=cohorts, phases=(PhaseConfig(steps=1),), folds=2
    )
    write_record(RunRecord(config=config, fold=fold, started_from=started_from), folder)
    torch.manual_seed(1 if fold is None else fold)
    save_finished(build_network(NETWORK).state_dict(), NETWORK, 1, folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "cohort", list(PATIENTS))
    return tmp_path


@pytest.fixture
def case(data: Path) -> StoredCase:
    return convert_case(read_manifest(data / OWN.table, "tiny")[0])


def features(data: Path, *networks: Path, table: str = "cohort/cohort.csv") -> int:
    places = ["--data", str(data), "--store", str(data / "store"), "--device", "cpu"]
    out = ["--table", table, "--out", str(data / "out" / "deep.csv")]
    return main(["features", *map(str, networks), *places, *out])


# What they are


def test_features_are_what_the_heads_read(case: StoredCase, tmp_path: Path) -> None:
    pack = write_multitask_pack(tmp_path / "unified")
    seen = Predictor(pack, CPU).segment(case.normalised(), case.present, case.brain, case.voxel_ml)
    assert seen.features is not None
    expected = TaskReader(pack).read(seen.features, case.labels).vector
    reader = FeatureReader(pack, CPU)
    found = reader.vector(case, POOLED_REGIONS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(reader.names(POOLED_REGIONS)) == len(found)


def test_a_segmentation_network_has_the_same_features(case: StoredCase, tmp_path: Path) -> None:
    pack = segmentation_pack(tmp_path / "pack")
    reader = FeatureReader(pack, CPU)
    names = reader.names(POOLED_REGIONS)
    values = dict(zip(names, reader.vector(case, POOLED_REGIONS), strict=True))
    assert len(values) == 2 * len(POOLED_REGIONS) * (8 + 8)
    # A name says which region its number is of.
    nothing = StoredCase(**{**case.__dict__, "labels": np.zeros_like(case.labels)})
    without = dict(zip(names, reader.vector(nothing, POOLED_REGIONS), strict=True))
    of_brain = {name for name in names if "_brain_" in name}
    assert {name: values[name] for name in of_brain} == {name: without[name] for name in of_brain}
    assert all(without[name] == 0 for name in set(names) - of_brain)
    only_core = np.where(case.labels == Label.ED, Label.BACKGROUND, case.labels)
    shrunk = StoredCase(**{**case.__dict__, "labels": only_core})
    core = dict(zip(names, reader.vector(shrunk, POOLED_REGIONS), strict=True))
    changed = {name.split("_")[2] for name in names if not np.isclose(core[name], values[name])}
    assert changed == {"WT"}
    assert next(n for n in names if "_finer_WT_mean_" in n) == "deep_finer_WT_mean_000"


def test_the_maximum_is_above_the_mean_of_a_filled_region(case: StoredCase, tmp_path: Path) -> None:
    reader = FeatureReader(segmentation_pack(tmp_path / "pack"), CPU)
    values = pd.Series(reader.vector(case, ("brain",)), reader.names(("brain",)))
    largest, mean = (values.filter(like=f"_{name}_").to_numpy() for name in ("max", "mean"))
    size = np.abs(mean) > 1e-6
    assert (largest >= mean)[size].all()


def test_what_an_absent_sequence_holds_does_not_matter(case: StoredCase, tmp_path: Path) -> None:
    reader = FeatureReader(segmentation_pack(tmp_path / "pack"), CPU)
    present = np.array([True, False, True, True])
    one = StoredCase(**{**case.__dict__, "present": present})
    images = case.images.copy()
    images[1] = np.where(case.brain, 77, 0)
    other = StoredCase(**{**one.__dict__, "images": images})
    np.testing.assert_array_equal(reader.vector(one, ("WT",)), reader.vector(other, ("WT",)))
    blind = StoredCase(**{**case.__dict__, "present": np.zeros(4, bool)})
    with pytest.raises(ValueError, match="0 sequences"):
        reader.vector(blind, ("WT",))


# Whom a network saw


def test_everybody_is_read_by_the_run_that_held_them_out(data: Path) -> None:
    runs = [write_run(data / f"fold{fold}", fold) for fold in range(2)]
    assert features(data, *runs) == 0
    table = read_further_features(data / "out" / "deep.csv")
    files = read_manifest(data / OWN.table, "tiny")
    held_out = {one.patient: fold for fold in range(2) for one in split_fold(files, 2, fold, 1)[1]}
    assert table.fold.to_dict() == held_out
    told = read_provenance(data / "out" / "deep.csv")
    networks: Any = told["networks"]
    assert [one["patients"] for one in networks] == [3, 3]
    assert [one["left_out"] for one in networks] == ["0 of 2", "1 of 2"]
    assert len({one["sha256"] for one in networks}) == 2


def test_a_patient_whom_the_network_saw_is_refused(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert features(data, write_run(data / "fold0", 0)) == 1
    assert "3 of 6 patients were seen by every network given" in capsys.readouterr().err
    assert features(data, write_run(data / "all", None)) == 1
    assert "6 of 6 patients were seen by every network" in capsys.readouterr().err
    assert not (data / "out").exists()


def test_a_patient_in_another_cohort_is_still_seen(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A patient held out of one table, and learnt from in another."""
    files = read_manifest(data / OWN.table, "tiny")
    held_out = split_fold(files, 2, 0, 1)[1][0].patient
    write_cohort(data / "more", [held_out, "Z"])
    more = CohortConfig(name="more", table=Path("more/cohort.csv"), evaluated=False)
    runs = [write_run(data / "fold0", 0, (OWN, more)), write_run(data / "fold1", 1)]
    assert features(data, *runs) == 1
    assert "1 of 6 patients were seen by every network" in capsys.readouterr().err


def test_what_an_earlier_stage_saw_counts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cohort(data / "other", ["X", "Y", "Z"])
    other = CohortConfig(name="other", table=Path("other/cohort.csv"))
    write_stages(["first", "last"], data / "staged")
    write_run(data / "staged" / "first", None)
    write_run(data / "staged" / "last", None, (other,), "a run of 1 steps, SHA-256 abc")
    assert open_network(data / "staged", data).seen == {*PATIENTS, "X", "Y", "Z"}
    assert features(data, data / "staged") == 1
    assert "6 of 6 patients were seen" in capsys.readouterr().err
    alone = write_run(data / "alone", None, (other,))
    assert features(data, alone) == 0
    assert set(read_further_features(data / "out" / "deep.csv").fold) == {0}


def test_a_network_of_unknown_past_is_refused(data: Path) -> None:
    run = write_run(data / "begun", 0, started_from="model pack segmentation 0.3.0, SHA-256 abc")
    with pytest.raises(ValueError, match=r"began with model pack segmentation .* whom it saw"):
        open_network(run, data)
    gone = CohortConfig(name="gone", table=Path("gone/cohort.csv"))
    with pytest.raises(ValueError, match="nobody knows whom the network saw"):
        open_network(write_run(data / "lost", 0, (OWN, gone)), data)
    segmentation_pack(data / "pack")
    with pytest.raises(ValueError, match="does not tell whom its network saw"):
        open_network(data / "pack", data)
    learnt = settings_of(cohort={**COHORT, "simulated_only": False})
    write_multitask_pack(data / "real", learnt)
    with pytest.raises(ValueError, match="does not tell whom its network saw"):
        open_network(data / "real", data)


def test_a_pack_of_simulated_patients_reads_real_ones_alone(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_multitask_pack(data / "simulated-pack")
    assert features(data, data / "simulated-pack") == 0
    told: Any = read_provenance(data / "out" / "deep.csv")
    assert told["networks"][0]["pack"] == "simulated-pack 0.0.1"
    write_clinical_cohort(data / "made-up", 3)
    assert features(data, data / "simulated-pack", table="made-up/cohort.csv") == 1
    assert "3 of 3 patients were seen" in capsys.readouterr().err


def test_as_many_as_may_be_are_read_by_one_network(data: Path) -> None:
    pack = segmentation_pack(data / "pack")
    networks = [FeatureNetwork(pack, "", frozenset(seen)) for seen in ("ABC", "A", "CDEF", "BCDEF")]
    assert dict(unseen_by("ABCDEF", networks, simulated=False)) == {
        "A": 2,
        **dict.fromkeys("BCDEF", 1),
    }


def test_a_table_that_was_changed_is_refused(data: Path) -> None:
    runs = [write_run(data / f"fold{fold}", fold) for fold in range(2)]
    features(data, *runs)
    table = data / "out" / "deep.csv"
    table.write_text(table.read_text().replace("A,", "A ,"))
    with pytest.raises(ValueError, match=r"is not the table that deep\.json tells of"):
        read_provenance(table)
    (data / "out" / "deep.json").unlink()
    with pytest.raises(ValueError, match=r"has no deep.json beside it that tells whom"):
        read_provenance(table)


def test_wrong_uses_say_what_to_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(data / "fold0", 0)
    assert features(data, run, table="lgg_slices/patients.csv") == 1
    assert "name the brain mask pack" in capsys.readouterr().err
    with pytest.raises(ValueError, match="1 patients have several cases"):
        FeatureCohort(("A", "A", "B"), lambda _: pytest.fail("not asked"), ("WT",))
    words = ["--data", str(data), "--store", str(data), "--table", "cohort/cohort.csv"]
    assert main(["features", str(run), *words, "--out", str(data / "deep")]) == 1
    assert "--out is a CSV file" in capsys.readouterr().err


# Slices


class HeadMasker:
    """Takes what is bright for brain."""

    class pack:  # noqa: N801
        sha256 = "0" * 64

    def logit(self, image: sitk.Image) -> sitk.Image:
        return sitk.Cast(image > 40, sitk.sitkFloat32) - 0.5


def arrays_of(patient_slices: Any) -> dict[str, NDArray[np.uint8]]:
    arrays = {name: image.astype(np.uint8) for name, image in patient_slices.images.items()}
    return {**arrays, lgg_slices.MASK: patient_slices.tumour.astype(np.uint8)}


def test_a_stack_becomes_a_volume() -> None:
    made = made_up_slices(np.random.default_rng(1), slices=40)
    arrays = arrays_of(made)
    case = slices.slices_case("P", arrays, HeadMasker())  # type: ignore[arg-type]
    assert case.voxel_mm == (1.0, 1.0, 1.0)
    assert dict(zip(SEQUENCES, case.present, strict=True)) == {
        "t1": True,
        "t1gd": True,
        "t2": False,
        "flair": True,
    }
    assert not case.images[SEQUENCES.index("t2")].any()
    # 48 pixels over 240 mm, and 40 slices over 150 mm: a voxel of the stack is so many mL.
    expected = made.tumour.sum() * (240 / 48) ** 2 * (150 / 40) / 1000
    assert (case.labels > 0).sum() / 1000 == pytest.approx(expected, rel=0.05)
    assert (case.brain | (case.labels == 0)).all()
    inside = case.images[SEQUENCES.index("flair")][case.labels > 0]
    outside = case.images[SEQUENCES.index("flair")][case.brain & (case.labels == 0)]
    assert np.median(inside) > np.median(outside) + 50
    empty = {**arrays, lgg_slices.MASK: np.zeros_like(arrays[lgg_slices.MASK])}
    with pytest.raises(ValueError, match="no tumour drawn"):
        slices.slices_case("P", empty, HeadMasker())  # type: ignore[arg-type]
    dark = {**arrays, "flair": np.zeros_like(arrays["flair"])}
    with pytest.raises(ValueError, match="no brain was found"):
        slices.slices_case("P", dark, HeadMasker())  # type: ignore[arg-type]


def test_missing_sequences_are_absent_whatever_the_file_holds(tmp_path: Path) -> None:
    folder = tmp_path / "lgg_slices"
    write_slices(folder / "P.npz", made_up_slices(np.random.default_rng(1), slices=20))
    table = folder / "patients.csv"
    table.write_text("patient,t1_missing,t1gd_missing\nP,False,True\nQ,False,False\n")
    found = slices.slice_patients(tmp_path)
    assert dict(found) == {"P": ("t1", "flair"), "Q": ("t1", "t1gd", "flair")}
    places, masker = (tmp_path, tmp_path / "store"), HeadMasker()
    first = slices.stored_slices("P", found["P"], places, masker)  # type: ignore[arg-type]
    assert first.present.tolist() == [True, False, False, True]
    assert not first.images[1].any()
    again = slices.stored_slices("P", found["P"], places, masker)  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.images, again.images)
    assert len(list((tmp_path / "store").glob("*.npz"))) == 1
    with pytest.raises(ValueError, match="no file for a patient of its table"):
        slices.stored_slices("Q", found["Q"], places, masker)  # type: ignore[arg-type]
    table.write_text("patient,t1_missing,t1gd_missing\nP,perhaps,True\n")
    with pytest.raises(ValueError, match="'perhaps' is not mapped"):
        slices.slice_patients(tmp_path)


def test_the_provenance_is_plain_json(data: Path) -> None:
    runs = [write_run(data / f"fold{fold}", fold) for fold in range(2)]
    features(data, *runs)
    told = json.loads((data / "out" / "deep.json").read_text("utf-8"))
    assert told["regions"] == list(POOLED_REGIONS)
    assert "no patient was learnt from" in told["guard"]
