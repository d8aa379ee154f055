"""The shipped segmentation pack on brains without tumour: it must find next to none."""

from pathlib import Path

import pytest
import SimpleITK as sitk

from gliomaai_training.evaluation.tumour_free import TOLERATED_ML
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.prepare import PreparationConfig
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.patient import simulate_patient
from gliomaai_training.simulation.writer import write_patient
from GliomaAILib.analysis import AnalysisRequest, analyze_study

SHIPPED = Path(__file__).resolve().parents[1] / "Resources" / "Models" / "segmentation"
STRIPPED = PreparationConfig(brain_mask="stripped")


def found_ml(study: Path) -> float:
    request = AnalysisRequest(study, preparation=STRIPPED, model=SHIPPED)
    return analyze_study(request).measures.volumes_ml["WT"]


def test_the_template_has_no_tumour(tmp_path: Path) -> None:
    sitk.WriteImage(icbm152("t1") * 1000, str(tmp_path / "t1.nii.gz"))
    assert found_ml(tmp_path) < TOLERATED_ML


@pytest.mark.parametrize("seed", [4000, 4001])
def test_a_simulated_healthy_brain_has_no_tumour(tmp_path: Path, seed: int) -> None:
    healthy = simulate_patient(seed, SimulationConfig(spacing_mm=2.0, tumour_free=True))
    write_patient(healthy, tmp_path / "study")
    assert found_ml(tmp_path / "study") < TOLERATED_ML
