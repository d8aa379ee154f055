"""A Case becomes an Assessment."""
