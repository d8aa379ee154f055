"""What a stage of training makes a network learn: from a batch to a loss."""
