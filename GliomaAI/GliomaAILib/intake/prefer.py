"""Which of several images of one sequence to take, when one is clearly better."""

from collections.abc import Callable, Sequence

from GliomaAILib.intake.recognise import Candidate

Rule = tuple[Callable[[Candidate], float], float, str]
"""A merit (higher is better), how much better is clearly better, and the reason in words."""


def prefer(rivals: Sequence[Candidate]) -> tuple[Candidate | None, str]:
    """The clearly best candidate and why; None when no rule tells them apart.

    The rules are asked in order; the first that puts one candidate clearly above all others
    decides, and a rule that puts some clearly below the best drops those.
    """
    left = list(rivals)
    reasons: list[str] = []
    for merit, margin, why in RULES:
        best = max(merit(candidate) for candidate in left)
        kept = [candidate for candidate in left if merit(candidate) > best - margin]
        if len(kept) < len(left):
            reasons.append(why)
        left = kept
        if len(left) == 1:
            return left[0], " and ".join(reasons)
    return None, ""


def _original(candidate: Candidate) -> float:
    header = candidate.volume.header
    if header is None:
        return 0.0 if candidate.volume.derived_name else 1.0
    derived = {"DERIVED", "SECONDARY", "MPR", "REFORMATTED", "AVERAGE"} & set(header.image_type)
    return 0.0 if derived or candidate.volume.derived_name else 1.0


def _normalised(candidate: Candidate) -> float:
    header = candidate.volume.header
    types = set(header.image_type) if header else set()
    return float(len(types & {"NORM", "DIS2D", "DIS3D"}))


def _thinness(candidate: Candidate) -> float:
    return -max(candidate.volume.spacing_mm)


def _axial(candidate: Candidate) -> float:
    thick = max(candidate.volume.spacing_mm) > 2.0
    return 1.0 if not thick or candidate.volume.normal_axis == 2 else 0.0


def _coverage(candidate: Candidate) -> float:
    volume = candidate.volume
    return min(n * s for n, s in zip(volume.size, volume.spacing_mm, strict=True))


RULES: tuple[Rule, ...] = (
    (_original, 0.5, "it is original, not derived"),
    (_coverage, 40.0, "it covers more of the head"),
    (_thinness, 1.0, "its voxels are thinner"),
    (_axial, 0.5, "it is axial"),
    (_normalised, 0.5, "the scanner corrected it"),
    (_thinness, 0.3, "its voxels are thinner"),
    (lambda candidate: candidate.confidence, 0.2, "its sequence is surer"),
)
