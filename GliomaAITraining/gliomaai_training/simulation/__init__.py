"""Synthetic patients and heads with known truth."""
