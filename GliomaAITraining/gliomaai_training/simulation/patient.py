"""One synthetic patient, from a seed: images, labels, diagnosis and outcome, all known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk
import torch

from gliomaai_training.simulation.anatomy import Frame, coarse_tissues, draw_frame, fine_tissues
from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.facts import Facts, TumourPlan, draw_facts, draw_plan
from gliomaai_training.simulation.growth import choose_seeds, grow
from gliomaai_training.simulation.outcome import Outcome, draw_outcome
from gliomaai_training.simulation.render import Scene, hyperintensities
from gliomaai_training.simulation.scan import PatientSignals, place, scan_scene
from gliomaai_training.simulation.signals import draw_protocol, draw_signals
from gliomaai_training.simulation.tumour import Tumour, no_tumour, paint
from gliomaai_training.simulation.vessels import draw_vessels
from gliomaai_training.vocabulary import Label


@dataclass(frozen=True)
class SimulatedPatient:
    """A synthetic patient with everything that a real one keeps to itself."""

    seed: int
    sequences: Mapping[str, sitk.Image]
    """`vocabulary.SEQUENCES` that are present: uint16 images, LPS mm."""
    labels: sitk.Image
    """uint8, values of `vocabulary.Label`, on the co-registered grid (`SimulationConfig.grid`)."""
    brain: sitk.Image
    """uint8, 1 inside the brain's hull, on the same grid."""
    facts: Facts
    outcome: Outcome | None
    """`None` for a tumour-free brain."""
    parameters: Mapping[str, object]
    """Every drawn parameter, for analyses; plain values that JSON can hold. `motions` has, for
    each sequence, the 4x4 matrix (16 values, row by row) from that sequence's LPS mm to the
    labels' LPS mm."""

    @property
    def who_class(self) -> str | None:
        """The WHO 2021 class, one of `diagnosis.states.WHO_STATES`."""
        return self.facts.who_class

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Volume of each label in mL."""
        array = sitk.GetArrayViewFromImage(self.labels)
        voxel_ml = float(np.prod(self.labels.GetSpacing())) / 1000
        counts = np.bincount(array.ravel(), minlength=4)
        return {name: float(counts[Label[name]]) * voxel_ml for name in ("NCR", "ED", "ET")}


def simulate_patient(seed: int, config: SimulationConfig) -> SimulatedPatient:
    """Makes the patient of a seed; the same seed and form give the same voxels anywhere.

    Args:
        seed: not negative; decides anatomy, tumour, appearance, scanner and outcome.

    Raises:
        ValueError: a negative seed, or ICBM152 maps that cannot be found.
    """
    facts = draw_facts(config, stream(seed, "facts"))
    frame = draw_frame(config, facts.age_years, stream(seed, "frame"))
    plan = draw_plan(facts.who_class, stream(seed, "plan")) if facts.who_class else None
    scene = _scene(seed, frame, facts, plan)
    scan = scan_scene(seed, scene, frame, config, _patient_signals(seed, facts, plan))
    outcome = draw_outcome(facts, plan, stream(seed, "outcome")) if plan else None
    parameters: dict[str, object] = {
        "config": asdict(config),
        "plan": asdict(plan) if plan else None,
        "protocol": asdict(scan.protocol),
        "acquisitions": {name: asdict(a) for name, a in scan.acquisitions.items()},
        "motions": {name: list(m) for name, m in scan.motions.items()},
    }
    return SimulatedPatient(
        seed=seed,
        sequences=MappingProxyType(scan.sequences),
        labels=place(scene.tumour.labels, frame, config),
        brain=place((scene.tissues.brain > 0.5).to(torch.uint8), frame, config),
        facts=facts,
        outcome=outcome,
        parameters=MappingProxyType(parameters),
    )


def _scene(seed: int, frame: Frame, facts: Facts, plan: TumourPlan | None) -> Scene:
    anatomy_rng = stream(seed, "anatomy")
    if plan is None or facts.who_class is None:
        shift = torch.zeros_like(frame.positions)
        tissues = fine_tissues(frame, shift, facts.age_years, anatomy_rng)
        tumour: Tumour = no_tumour(frame.shape)
    else:
        coarse = coarse_tissues(frame)
        growth_rng = stream(seed, "growth")
        seeds = choose_seeds(frame, coarse, facts.who_class, plan, growth_rng)
        growth = grow(frame, coarse, plan, seeds, growth_rng)
        tissues = fine_tissues(frame, growth.shift, facts.age_years, anatomy_rng)
        tumour = paint(frame, tissues, growth, plan, stream(seed, "tumour"))
    return Scene(
        tissues=tissues,
        tumour=tumour,
        vessels=draw_vessels(tissues, frame.spacing_mm, stream(seed, "vessels")),
        hyperintensities=hyperintensities(
            tissues, facts.age_years, frame.spacing_mm, stream(seed, "hyperintensities")
        ),
        spacing_mm=frame.spacing_mm,
    )


def _patient_signals(seed: int, facts: Facts, plan: TumourPlan | None) -> PatientSignals:
    rng = stream(seed, "signals")
    protocol = draw_protocol(rng)
    gadolinium = float(np.exp(rng.normal(np.log(0.22), 0.35)))
    signals = draw_signals(
        protocol,
        idh_mutant=facts.who_class not in (None, "GBM"),
        mismatch=plan.mismatch if plan else 0.0,
        gadolinium_mmol_l=gadolinium,
        rng=rng,
    )
    return PatientSignals(protocol, signals)
