"""Network architectures, built from frozen configurations."""
