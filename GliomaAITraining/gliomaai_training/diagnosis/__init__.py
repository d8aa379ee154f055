"""WHO 2021 states of adult-type diffuse gliomas and their coherent probabilities."""
