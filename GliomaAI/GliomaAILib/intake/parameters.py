"""What acquisition parameters of a DICOM header say of a sequence.

Ranges are those of clinical brain protocols at 1.5 and 3 T (spin echo, gradient echo, inversion
recovery), e.g. Ellingson et al., Neuro-Oncology 2015;17:1188 (the consensus glioma protocol).
"""

from GliomaAILib.intake.evidence import Evidence, favouring
from GliomaAILib.intake.names import OtherKind
from GliomaAILib.intake.volume import HeaderFacts

FLAIR_INVERSION_MS = (1500.0, 3200.0)
T1_FLAIR_INVERSION_MS = (500.0, 1300.0)
STIR_INVERSION_MS = (80.0, 300.0)
LONG_ECHO_MS = 60.0
SHORT_ECHO_MS = 35.0
LONG_REPETITION_MS = 1800.0

T1_EITHER = {"t1": 0.49, "t1gd": 0.49, "t2": 0.01, "flair": 0.01}
T2_RATHER_THAN_FLAIR = {"t1": 0.01, "t1gd": 0.01, "t2": 0.90, "flair": 0.08}


NO_AGENT = frozenset({"", "none", "no", "n", "0", "without", "ohne"})
"""What some scanners write in place of a contrast agent."""


def names_agent(text: str) -> bool:
    """Whether the text of a contrast field names an agent."""
    return text.strip().lower() not in NO_AGENT


def parameter_evidence(header: HeaderFacts) -> list[Evidence]:
    """Evidence from echo, repetition and inversion times and from the contrast field."""
    pieces = []
    if timing := _timing(header):
        pieces.append(timing)
    if header.contrast_agent:
        # An agent is also named on T2 and FLAIR taken after the injection.
        likelihoods = {"t1": 0.03, "t1gd": 0.65, "t2": 0.16, "flair": 0.16}
        pieces.append(Evidence(likelihoods, "header names a contrast agent", "header"))
    return pieces


def other_kind_by_parameters(header: HeaderFacts) -> OtherKind | None:
    """A kind of image that is none of the four, recognised from its parameters."""
    types = set(header.image_type)
    if types & {"LOCALIZER", "SCOUT"}:
        return OtherKind("localiser", "a localiser")
    if types & {"P", "PHASE MAP", "PHASE", "R", "I", "REAL", "IMAGINARY"} and "M" not in types:
        return OtherKind("phase", "a phase image, not a magnitude")
    if types & {"ADC", "TRACEW", "FA", "DIFFUSION", "EXP", "DIFFUSION MAP"} or header.b_value:
        return OtherKind("diffusion", "a diffusion image or map")
    if types & {"CBV", "CBF", "MTT", "TTP", "PERFUSION", "RELCBV", "ASL", "PBP", "GBP"}:
        return OtherKind("perfusion", "a perfusion image or map")
    if types & {"SWI", "MNIP", "T2_STAR", "QSM"}:
        return OtherKind("susceptibility", "a susceptibility image")
    if types & {"PROJECTION IMAGE", "MIP", "SUBTRACTION", "SUB", "SPECTROSCOPY"}:
        return OtherKind("derived", "a projection, subtraction or spectroscopy")
    if "EP" in header.scanning_sequence:
        return OtherKind("echo_planar", "an echo-planar image (diffusion, perfusion or function)")
    inversion, echo = header.inversion_time_ms, header.echo_time_ms
    if (
        inversion is not None
        and STIR_INVERSION_MS[0] <= inversion <= STIR_INVERSION_MS[1]
        and echo is not None
        and "GR" not in header.scanning_sequence
    ):
        return OtherKind("other_contrast", "another contrast than the four (STIR)")
    if _proton_density(header):
        return OtherKind("proton_density", "a proton density image (short TE, long TR)")
    return None


def _proton_density(header: HeaderFacts) -> bool:
    echo, repetition = header.echo_time_ms, header.repetition_time_ms
    if not echo or not repetition or header.inversion_time_ms or "IR" in header.scanning_sequence:
        return False
    return echo < SHORT_ECHO_MS and repetition > LONG_REPETITION_MS


def _timing(header: HeaderFacts) -> Evidence | None:
    echo, repetition = header.echo_time_ms, header.repetition_time_ms
    inversion = header.inversion_time_ms or 0.0
    if not echo or not repetition:
        return None
    shown = f"TE {echo:.0f} ms, TR {repetition:.0f} ms"
    if FLAIR_INVERSION_MS[0] <= inversion <= FLAIR_INVERSION_MS[1] and echo > LONG_ECHO_MS:
        return favouring("flair", 0.97, f"{shown}, TI {inversion:.0f} ms: FLAIR", "header")
    if T1_FLAIR_INVERSION_MS[0] <= inversion <= T1_FLAIR_INVERSION_MS[1] and echo < SHORT_ECHO_MS:
        return Evidence(T1_EITHER, f"{shown}, TI {inversion:.0f} ms: T1-weighted", "header")
    if echo > LONG_ECHO_MS and "IR" in header.scanning_sequence and not inversion:
        return favouring("flair", 0.9, f"{shown}, inversion recovery: FLAIR", "header")
    if echo > LONG_ECHO_MS and repetition > LONG_REPETITION_MS:
        return Evidence(T2_RATHER_THAN_FLAIR, f"{shown}: T2-weighted", "header")
    if echo < SHORT_ECHO_MS and repetition < LONG_REPETITION_MS:
        return Evidence(T1_EITHER, f"{shown}: T1-weighted", "header")
    return None
