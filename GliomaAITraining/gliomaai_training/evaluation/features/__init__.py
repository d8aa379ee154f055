"""Deep features of patients, each from a network that never saw the patient."""
