"""The ICBM152 2009a symmetric template, as the nilearn package ships it."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import SimpleITK as sitk

ATLAS_MAPS = ("t1", "gm", "wm")
"""Brain-only T1 template, grey and white matter fraction."""


@lru_cache(maxsize=len(ATLAS_MAPS))
def icbm152(name: str) -> sitk.Image:
    """One map of the template, float32 from 0 to 1, 1 mm, axes LPS.

    Source: Fonov et al., NeuroImage 2011, doi:10.1016/j.neuroimage.2010.07.033. nilearn itself,
    slow to import, is not imported.

    Raises:
        ValueError: the map is unknown, or nilearn does not hold it.
    """
    if name not in ATLAS_MAPS:
        raise ValueError(f"no ICBM152 map {name!r}, only {', '.join(ATLAS_MAPS)}")
    spec = find_spec("nilearn")
    folder = Path(spec.origin or "").parent / "datasets" / "data" if spec else Path()
    file = folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
    if not file.is_file():
        raise ValueError(f"nilearn does not hold {file.name}: install nilearn 0.11 to 0.14")
    bytes_ = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
    scaled: sitk.Image = sitk.Cast(bytes_, sitk.sitkFloat32) * (1.0 / 255.0)
    return scaled
