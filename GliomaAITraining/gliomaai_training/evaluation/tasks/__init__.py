"""Judging what the heads of a multi-task network answer: scores, intervals, tables, figures."""
