"""Who the patient is and what the tumour shall look like: class, age, sex, fitness, appearance.

The shares and means follow published cohorts: class mix, ages and sex ratio of adults with diffuse
glioma (Molinaro 2020; Ostrom, CBTRUS), non-enhancing glioblastoma 7.4 %, enhancement in a fifth of
IDH-mutant grade 2, T2-FLAIR mismatch with 42 % sensitivity for astrocytoma (Patel 2017; Broen
2018), frontal predilection of IDH-mutant tumours (Lai 2011).
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from gliomaai_training.simulation.config import SimulationConfig


@dataclass(frozen=True)
class Facts:
    """What a clinical table says about the patient."""

    who_class: str | None
    """One of `diagnosis.states.WHO_STATES`; `None` for a tumour-free brain."""
    age_years: float
    sex: str
    """"F" or "M"."""
    kps: int
    """Karnofsky performance status, 40 to 100."""
    gross_total_resection: bool
    mgmt_methylated: bool


@dataclass(frozen=True)
class TumourPlan:
    """What the growth model aims at; drawn before any voxel."""

    core_ml: float
    oedema_ml: float
    necrotic_fraction: float
    """Share of the core inside the enhancing rim that is cavity; 1 without enhancement."""
    enhancing: bool
    rim_mm: float
    """Mean thickness of the enhancing rim."""
    outer_core: float
    """Share of the core's surface with non-enhancing tumour outside the rim."""
    cavity_mm: float
    """Width of one necrotic cavity; small values give many."""
    foci: int
    """1, or more for a multifocal tumour."""
    satellite: bool
    mismatch: float
    """T2-FLAIR mismatch, 0 none to 1 complete."""
    push_mm: float
    """Greatest displacement of the brain by the mass."""
    infiltration: float
    """Relative speed of diffusion through white matter: high gives ill-defined borders."""


_AGE = MappingProxyType(
    {"GBM": (63, 12), "A2": (36, 9), "A3": (37, 10), "A4": (39, 11), "O2": (41, 10), "O3": (46, 11)}
)
_ENHANCING = MappingProxyType(
    {"GBM": 0.926, "A2": 0.15, "A3": 0.42, "A4": 0.85, "O2": 0.22, "O3": 0.55}
)


def draw_facts(config: SimulationConfig, rng: np.random.Generator) -> Facts:
    """Draws class, age, sex, fitness, extent of resection and MGMT."""
    names, mix = zip(*config.class_mix, strict=True)
    shares = np.array(mix)
    drawn = str(rng.choice(names, p=shares / shares.sum()))
    who_class = config.who_class or drawn
    mean, deviation = _AGE[who_class]
    age = float(np.clip(rng.normal(mean, deviation), 18, 90))
    female = rng.random() < (0.385 if who_class == "GBM" else 0.44)
    burden = 0.35 * (age - 50) / 10 + (0.8 if who_class == "GBM" else 0.0)
    kps = int(np.clip(10 * round(9.4 - 0.6 * burden + rng.normal(0, 0.9)), 40, 100))
    resected = rng.random() < (0.40 if who_class == "GBM" else 0.45)
    methylated = rng.random() < (0.42 if who_class == "GBM" else 0.85)
    return Facts(
        who_class=None if config.tumour_free else who_class,
        age_years=round(age, 1),
        sex="F" if female else "M",
        kps=100 if config.tumour_free else kps,
        gross_total_resection=bool(resected) and not config.tumour_free,
        mgmt_methylated=bool(methylated),
    )


def draw_plan(who_class: str, rng: np.random.Generator) -> TumourPlan:
    """Draws the tumour's intended appearance for its class.

    The sizes are log-normal with the spread of public expert segmentations (core 3 to 100 mL,
    oedema 11 to 130 mL between the 5th and 95th percentiles in glioblastoma).

    Raises:
        KeyError: not one of `diagnosis.states.WHO_STATES`.
    """
    enhancing = bool(rng.random() < _ENHANCING[who_class])
    if who_class == "GBM":
        return _glioblastoma(enhancing, rng)
    return _idh_mutant(who_class, enhancing, rng)


def _glioblastoma(enhancing: bool, rng: np.random.Generator) -> TumourPlan:
    shared = rng.normal()
    core = float(np.clip(np.exp(3.3 + 0.95 * (0.45 * shared + 0.89 * rng.normal())), 0.8, 130))
    oedema = float(np.clip(np.exp(3.85 + 0.7 * (0.45 * shared + 0.89 * rng.normal())), 4, 160))
    necrotic = float(np.clip(rng.beta(2.2, 4.2) + 0.04 * np.log(core / 25), 0.03, 0.8))
    foci = int(rng.choice([1, 2, 3], p=[0.82, 0.13, 0.05]))
    return TumourPlan(
        core_ml=core,
        oedema_ml=oedema if enhancing else 0.6 * oedema,
        necrotic_fraction=necrotic if enhancing else 1.0,
        enhancing=enhancing,
        rim_mm=float(rng.uniform(1.6, 4.5)),
        outer_core=float(rng.beta(1.2, 3.5)),
        cavity_mm=float(rng.uniform(3.0, 9.0)),
        foci=foci,
        satellite=bool(rng.random() < 0.35),
        mismatch=0.0,
        push_mm=float(rng.uniform(4, 11) * min(1.0, (core / 30) ** 0.5)),
        infiltration=float(rng.uniform(0.6, 1.6)),
    )


def _idh_mutant(who_class: str, enhancing: bool, rng: np.random.Generator) -> TumourPlan:
    grade = int(who_class[1])
    astrocytoma = who_class[0] == "A"
    core = float(np.clip(np.exp(3.5 + 0.8 * rng.normal()), 3, 140))
    share = float(np.exp(rng.normal(-0.75 if astrocytoma else -0.4, 0.6)))
    necrotic = 1 - float(rng.beta(1.3, 4.0)) * (1.8 if grade == 4 else 1.0) if enhancing else 1.0
    mismatched = astrocytoma and grade < 4 and not enhancing and rng.random() < 0.55
    return TumourPlan(
        core_ml=core,
        oedema_ml=float(np.clip(core * share, 2, 120)),
        necrotic_fraction=float(np.clip(necrotic, 0.2, 1.0)),
        enhancing=enhancing,
        rim_mm=float(rng.uniform(1.5, 3.5)),
        outer_core=float(rng.beta(3, 2)),
        cavity_mm=float(rng.uniform(4, 10)),
        foci=1,
        satellite=bool(rng.random() < 0.12),
        mismatch=float(rng.uniform(0.45, 0.95)) if mismatched else 0.0,
        push_mm=float(rng.uniform(1.5, 6) * min(1.0, (core / 40) ** 0.5)),
        infiltration=float(rng.uniform(0.8, 1.5)),
    )
