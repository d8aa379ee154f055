"""A study becomes a Case: DICOM and files, sequence recognition, quality gates."""
