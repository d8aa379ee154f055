"""GliomaAI's clinic: a study becomes an assessment, and an assessment becomes files."""

__version__ = "0.1.0"

NOTICE = "Research use only. Not a medical device; not for diagnosis or treatment decisions."
"""Stands wherever a result is shown."""
