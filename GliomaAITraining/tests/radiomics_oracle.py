"""Writes `radiomics_expected.json`: what PyRadiomics 3.0.1 makes of the formula's volume.

Not a test. It needs an environment of its own (Python 3.11, see the training package's README):

    pip install numpy SimpleITK PyWavelets six setuptools wheel versioneer cython
    pip install --no-build-isolation pyradiomics==3.0.1
    python radiomics_oracle.py
"""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from radiomics_makers import (
    ORACLE_REGIONS,
    ORACLE_RUNS,
    ORACLE_SIGMAS_MM,
    ORACLE_WAVELET,
    as_image,
    formula_volume,
)

EXPECTED = Path(__file__).with_name("radiomics_expected.json")
CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
OF_FILTERED = ("firstorder", "ngtdm")
"""Kept of filtered images: whatever is wrong with a filter shows in these."""


def pyradiomics_values(
    image: sitk.Image, mask: sitk.Image, settings: dict[str, object], filters: bool
) -> dict[str, float]:
    """All features, named as PyRadiomics names them."""
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    extractor = RadiomicsFeatureExtractor(**settings)
    extractor.disableAllFeatures()
    for name in CLASSES:
        extractor.enableFeatureClassByName(name)
    if filters:
        extractor.enableImageTypeByName("LoG", customArgs={"sigma": list(ORACLE_SIGMAS_MM)})
        extractor.enableImageTypeByName("Wavelet", customArgs={"wavelet": ORACLE_WAVELET})
    found = extractor.execute(image, mask)
    return {name: float(v) for name, v in found.items() if not name.startswith("diagnostics")}


def main() -> None:
    array, labels = formula_volume()
    expected = {}
    for run, settings in ORACLE_RUNS.items():
        for region, values in ORACLE_REGIONS.items():
            mask = as_image(np.isin(labels, values).astype(np.uint8))
            filters = run == "width" and region == "WT"
            found = pyradiomics_values(as_image(array), mask, settings, filters)
            expected[f"{run} {region}"] = {
                name: value
                for name, value in found.items()
                if name.startswith("original") or name.split("_")[1] in OF_FILTERED
            }
    EXPECTED.write_text(json.dumps(expected, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
