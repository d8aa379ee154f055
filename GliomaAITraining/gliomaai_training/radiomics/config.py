"""What is measured and how: everything that a feature's value depends on beside the image."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Literal, get_args

from gliomaai_training.vocabulary import REGIONS, SEQUENCES, Label

FeatureClass = Literal["shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm"]
Interpolation = Literal["linear", "bspline"]
Normalisation = Literal["none", "brain"]

FEATURE_CLASSES: tuple[FeatureClass, ...] = get_args(FeatureClass)

FEATURE_REGIONS: Mapping[str, tuple[Label, ...]] = MappingProxyType(
    {**REGIONS, "ED": (Label.ED,), "NCR": (Label.NCR,)}
)
"""The regions that can be measured: the three nested ones, and the parts that are none of them."""


@dataclass(frozen=True)
class Discretisation:
    """How intensities become grey levels, for texture, entropy and uniformity (IBSI 2.7).

    Exactly one of both is given.
    """

    bin_width: float | None = 25.0
    """Fixed bin size, in intensity units (after normalisation); bins begin at multiples of it."""
    bin_number: int | None = None
    """Fixed bin number between the region's own minimum and maximum."""

    def __post_init__(self) -> None:
        if (self.bin_width is None) == (self.bin_number is None):
            raise ValueError(
                f"give either a bin width or a bin number, not {self.bin_width} "
                f"and {self.bin_number}"
            )
        if self.bin_width is not None and not self.bin_width > 0:
            raise ValueError(f"a bin width of {self.bin_width} is not positive")
        if self.bin_number is not None and self.bin_number < 2:
            raise ValueError(f"{self.bin_number} bins hold no texture; use at least 2")


@dataclass(frozen=True)
class FilterConfig:
    """Filtered images that are measured beside the original one."""

    log_sigmas_mm: tuple[float, ...] = ()
    """Laplacian of Gaussian, one image for each width."""
    wavelet: str | None = None
    """Name of a PyWavelets wavelet such as `coif1`: eight undecimated sub-bands; None for none."""

    def __post_init__(self) -> None:
        wrong = [sigma for sigma in self.log_sigmas_mm if not sigma > 0]
        if wrong:
            raise ValueError(f"a Laplacian of Gaussian of {wrong[0]} mm is not possible")


@dataclass(frozen=True)
class RadiomicsConfig:
    """The whole recipe.

    The defaults suit MR in arbitrary units: each sequence is standardised over the brain and
    multiplied by 100, so that a bin of 25 is a quarter of the brain's standard deviation.
    """

    regions: tuple[str, ...] = tuple(FEATURE_REGIONS)
    sequences: tuple[str, ...] = SEQUENCES
    classes: tuple[FeatureClass, ...] = FEATURE_CLASSES
    discretisation: Discretisation = Discretisation()
    filters: FilterConfig = FilterConfig()
    normalisation: Normalisation = "brain"
    """`brain`: subtract the mean, divide by the standard deviation of the brain's voxels."""
    scale: float = 100.0
    """Normalised intensities are multiplied by this; 1 keeps them."""
    outlier_sd: float | None = None
    """Normalised intensities are clipped at so many standard deviations; None keeps all."""
    voxel_mm: float | None = None
    """Edge of cubic voxels that image and mask are resampled to; None keeps the image's own."""
    interpolation: Interpolation = "linear"
    """Of intensities. Masks are interpolated linearly and cut at one half (IBSI 2.4)."""
    margin_mm: float = 20.0
    """Only this much around the tumour is filtered; it must exceed four widths of a filter."""
    minimum_voxels: int = 27
    """Smaller regions have a shape but no texture and no intensities."""

    def __post_init__(self) -> None:
        _check_words("region", self.regions, tuple(FEATURE_REGIONS))
        _check_words("sequence", self.sequences, SEQUENCES)
        _check_words("feature class", self.classes, FEATURE_CLASSES)
        _check_words("normalisation", (self.normalisation,), get_args(Normalisation))
        _check_words("interpolation", (self.interpolation,), get_args(Interpolation))
        for name in ("scale", "voxel_mm", "outlier_sd", "minimum_voxels"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")
        if not self.margin_mm >= 0:
            raise ValueError(f"a margin of {self.margin_mm} mm is not possible")

    def fingerprint(self) -> str:
        """Hexadecimal digest of the recipe."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        """The recipe as JSON values, for provenance and for `config_from_json`."""
        content: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return content


def config_from_json(content: Mapping[str, object]) -> RadiomicsConfig:
    """A recipe from what `RadiomicsConfig.to_json` gave; what is absent has its default.

    Raises:
        ValueError: an unknown name or an impossible value.
    """
    known = {field.name for field in fields(RadiomicsConfig)}
    unknown = set(content) - known
    if unknown:
        raise ValueError(f"a radiomics configuration has no {sorted(unknown)}")
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in content.items()}
    parts = {"discretisation": Discretisation, "filters": FilterConfig}
    try:
        for name, kind in parts.items():
            part = values.get(name)
            if isinstance(part, Mapping):
                frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in part.items()}
                values[name] = kind(**frozen)
        return RadiomicsConfig(**values)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"not a radiomics configuration: {error}") from None


def _check_words(what: str, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(f"{what} {unknown[0]!r} is none of {', '.join(known)}")
    if len(set(words)) != len(words):
        raise ValueError(f"a {what} is named twice: {', '.join(words)}")


DEFAULT_RECIPE = RadiomicsConfig()
