"""GliomaAI's clinic: a study becomes an assessment, and an assessment becomes files."""

__version__ = "0.1.0"
