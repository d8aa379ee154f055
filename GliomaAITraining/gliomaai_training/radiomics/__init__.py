"""Radiomics features after the Image Biomarker Standardisation Initiative, in numpy and scipy."""
