"""Cases on disk, datasets and augmentation for training."""
