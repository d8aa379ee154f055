"""MR signal equations: what each tissue gives on each sequence.

Relaxation times are effective values at 3 T, from literature for normal tissue (Wansapura 1999;
Stanisz 2005) and, for tumour parts, fitted so that the tissue-to-white-matter ratios of public
pre-operative cases come out (docs/simulation.md holds the table).
"""

from dataclasses import dataclass, replace
from math import exp
from types import MappingProxyType

import numpy as np

GADOLINIUM_R1_PER_MM_S = 4.5
"""Relaxivity of a gadolinium chelate, per mmol/L per second."""

FRACTIONS = ("white", "grey", "fluid", "oedema", "enhancing", "necrotic", "vessel")
"""The tissues that a voxel is a mixture of."""


@dataclass(frozen=True)
class Tissue:
    """Relaxation of one tissue."""

    t1_ms: float
    t2_ms: float
    density: float
    """Proton density, relative to fluid."""


@dataclass(frozen=True)
class Protocol:
    """How the four sequences were acquired."""

    t1_kind: str
    """"SE" for 2D spin echo, "GRE" for an inversion-prepared gradient echo."""
    t1_tr_ms: float
    t1_te_ms: float
    t1_ti_ms: float
    """0 for spin echo."""
    t2_tr_ms: float
    t2_te_ms: float
    flair_tr_ms: float
    flair_te_ms: float
    flair_ti_ms: float


_TISSUES = MappingProxyType(
    {
        "white": Tissue(850, 74, 0.70),
        "grey": Tissue(1310, 97, 0.76),
        "fluid": Tissue(4200, 1200, 1.00),
        "oedema": Tissue(1120, 187, 0.66),
        "enhancing": Tissue(1080, 192, 0.64),
        "necrotic": Tissue(1560, 297, 0.74),
    }
)
_SOLID_CORE = Tissue(1590, 300, 0.65)
"""Non-enhancing solid tumour, as in IDH-mutant gliomas."""
_GADOLINIUM_MMOL_L = MappingProxyType(
    {"white": 0.008, "grey": 0.016, "fluid": 0.0, "oedema": 0.014, "necrotic": 0.03}
)


@dataclass(frozen=True)
class Signals:
    """Signal of each of `FRACTIONS` on each sequence, white matter being 1."""

    table: MappingProxyType[str, MappingProxyType[str, float]]
    """Sequence: tissue: signal."""
    enhancing_low: float
    enhancing_high: float
    """T1Gd signal of the least and the most enhancing tumour, white matter being 1."""


def draw_protocol(rng: np.random.Generator) -> Protocol:
    """Draws a clinical protocol: 68 % spin-echo T1, the rest MPRAGE-like."""
    spin_echo = rng.random() < 0.68
    return Protocol(
        t1_kind="SE" if spin_echo else "GRE",
        t1_tr_ms=float(rng.uniform(450, 700) if spin_echo else rng.uniform(1900, 2300)),
        t1_te_ms=float(rng.uniform(8, 14) if spin_echo else rng.uniform(2.3, 3.5)),
        t1_ti_ms=0.0 if spin_echo else float(rng.uniform(1150, 1350)),
        t2_tr_ms=float(rng.uniform(3500, 5500)),
        t2_te_ms=float(rng.uniform(82, 105)),
        flair_tr_ms=float(rng.uniform(8500, 10000)),
        flair_te_ms=float(rng.uniform(95, 125)),
        flair_ti_ms=float(rng.uniform(2250, 2500)),
    )


def draw_signals(
    protocol: Protocol,
    idh_mutant: bool,
    mismatch: float,
    gadolinium_mmol_l: float,
    rng: np.random.Generator,
) -> Signals:
    """The signal table of one patient; every tissue varies a little from patient to patient."""
    tissues = {name: _vary(tissue, rng, name) for name, tissue in _TISSUES.items()}
    if idh_mutant:
        tissues["necrotic"] = _vary(_SOLID_CORE, rng, "necrotic")
    flair = dict(tissues)
    if mismatch > 0:
        # Mismatch: fluid-rich microcysts; T1 approaches the value that the inversion nulls.
        core = tissues["necrotic"]
        longer = core.t1_ms + mismatch * (2450 - core.t1_ms)
        flair["necrotic"] = replace(core, t1_ms=longer)
    post = {
        name: _with_gadolinium(t, _GADOLINIUM_MMOL_L.get(name, 0.0)) for name, t in tissues.items()
    }
    post["enhancing"] = _with_gadolinium(tissues["enhancing"], gadolinium_mmol_l)
    table = {
        "t1": {name: t1_signal(t, protocol) for name, t in tissues.items()},
        "t1gd": {name: t1_signal(t, protocol) for name, t in post.items()},
        "t2": {name: t2_signal(t, protocol) for name, t in tissues.items()},
        "flair": {name: flair_signal(t, protocol) for name, t in flair.items()},
    }
    low = t1_signal(_with_gadolinium(tissues["enhancing"], 0.35 * gadolinium_mmol_l), protocol)
    high = t1_signal(_with_gadolinium(tissues["enhancing"], 2.2 * gadolinium_mmol_l), protocol)
    reference = {name: signals["white"] for name, signals in table.items()}
    vessel = {"t1": 0.75, "t1gd": 2.1, "t2": 0.25, "flair": 0.35}
    scaled = {
        name: MappingProxyType(
            {t: v / reference[name] for t, v in signals.items()} | {"vessel": vessel[name]}
        )
        for name, signals in table.items()
    }
    return Signals(
        table=MappingProxyType(scaled),
        enhancing_low=low / reference["t1gd"],
        enhancing_high=high / reference["t1gd"],
    )


def _vary(tissue: Tissue, rng: np.random.Generator, name: str) -> Tissue:
    spread = 0.03 if name in ("white", "grey", "fluid") else 0.15
    t1, t2 = np.exp(spread * rng.normal(size=2))
    return replace(tissue, t1_ms=tissue.t1_ms * float(t1), t2_ms=tissue.t2_ms * float(t2))


def _with_gadolinium(tissue: Tissue, mmol_l: float) -> Tissue:
    rate = 1000 / tissue.t1_ms + GADOLINIUM_R1_PER_MM_S * mmol_l
    return replace(tissue, t1_ms=1000 / rate)


def t1_signal(tissue: Tissue, protocol: Protocol) -> float:
    """T1-weighted signal: spin echo, or the inversion-recovery gradient echo at k-space centre."""
    recovery = exp(-protocol.t1_tr_ms / tissue.t1_ms)
    if protocol.t1_kind == "SE":
        return tissue.density * (1 - recovery) * exp(-protocol.t1_te_ms / tissue.t2_ms)
    inverted = 1 - 2 * exp(-protocol.t1_ti_ms / tissue.t1_ms) + recovery
    return tissue.density * abs(inverted) * exp(-protocol.t1_te_ms / (0.7 * tissue.t2_ms))


def t2_signal(tissue: Tissue, protocol: Protocol) -> float:
    """T2-weighted turbo spin echo."""
    saturation = 1 - exp(-protocol.t2_tr_ms / tissue.t1_ms)
    return tissue.density * saturation * exp(-protocol.t2_te_ms / tissue.t2_ms)


def flair_signal(tissue: Tissue, protocol: Protocol) -> float:
    """Fluid-attenuated inversion recovery."""
    recovery = exp(-protocol.flair_tr_ms / tissue.t1_ms)
    inverted = abs(1 - 2 * exp(-protocol.flair_ti_ms / tissue.t1_ms) + recovery)
    return tissue.density * inverted * exp(-protocol.flair_te_ms / tissue.t2_ms)
