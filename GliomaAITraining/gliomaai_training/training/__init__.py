"""Training stages, checkpoints and the export of a model pack."""
