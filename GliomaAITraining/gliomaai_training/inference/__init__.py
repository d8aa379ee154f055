"""Model packs and the one predictor that training, evaluation and the clinic share."""
