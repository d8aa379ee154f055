"""Time to death: models, their nomograms, and how well they predict."""
