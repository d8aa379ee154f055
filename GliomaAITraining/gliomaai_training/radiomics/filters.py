"""Filtered images, each made once for a sequence and measured in every region."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.radiomics.config import FilterConfig

ORIGINAL = "original"
SMALLEST_EDGE = 4
"""Voxels that a recursive Gaussian needs along each axis."""


def image_types(config: FilterConfig) -> tuple[str, ...]:
    """Names of the images that a sequence gives, as PyRadiomics names them."""
    bands = ["".join(letters) for letters in product("LH", repeat=3)] if config.wavelet else []
    return (
        ORIGINAL,
        *(log_name(sigma) for sigma in config.log_sigmas_mm),
        *(f"wavelet-{band}" for band in bands),
    )


def log_name(sigma_mm: float) -> str:
    """Name of the Laplacian of Gaussian of one width."""
    return f"log-sigma-{str(float(sigma_mm)).replace('.', '-')}-mm-3D"


def filtered_images(
    image: sitk.Image, config: FilterConfig
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The image itself and its filtered forms, named as in `image_types`.

    Args:
        image: float32, cut to the tumour and a margin.
        config: which filters.

    Yields:
        Name and (z, y, x) array.

    Raises:
        ValueError: the image is too small for a filter, or the wavelet is unknown.
    """
    yield ORIGINAL, _array(image)
    if config.log_sigmas_mm and min(image.GetSize()) < SMALLEST_EDGE:
        raise ValueError(
            f"an image of {image.GetSize()} voxels is too small for a Laplacian of Gaussian"
        )
    for sigma in config.log_sigmas_mm:
        laplacian = sitk.LaplacianRecursiveGaussian(image, sigma, True)
        yield log_name(sigma), _array(laplacian)
    if config.wavelet:
        yield from _wavelet_bands(sitk.GetArrayViewFromImage(image), config.wavelet)


def _wavelet_bands(
    array: NDArray[np.float32], wavelet: str
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Eight sub-bands of one undecimated level; a name's letters are for x, y, z.

    The transform needs an even number of voxels: the first ones are repeated after the last. It
    runs in the image's single precision, as PyRadiomics' does: a value near a bin's edge would
    else change its grey level.
    """
    import pywt  # type: ignore[import-untyped, unused-ignore]

    if wavelet not in pywt.wavelist(kind="discrete"):
        raise ValueError(f"there is no discrete wavelet {wavelet!r}; `coif1` is a common one")
    odd = [(0, length % 2) for length in array.shape]
    whole = tuple(slice(0, length) for length in array.shape)
    bands = pywt.swtn(np.pad(array, odd, "wrap"), wavelet, level=1, axes=(2, 1, 0))[0]
    for letters, band in sorted(bands.items()):
        yield (
            f"wavelet-{letters.replace('a', 'L').replace('d', 'H')}",
            np.asarray(band[whole], np.float64),
        )


def _array(image: sitk.Image) -> NDArray[np.float64]:
    return np.asarray(sitk.GetArrayFromImage(image), np.float64)
