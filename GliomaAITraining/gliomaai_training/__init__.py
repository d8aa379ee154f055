"""GliomaAI's training package: makes, evaluates and packs the models that the clinic runs."""

__version__ = "0.1.0"
