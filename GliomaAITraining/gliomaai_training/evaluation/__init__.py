"""Metrics, bootstrap intervals, tables and figures."""
