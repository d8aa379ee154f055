"""Studies and clinical facts of many patients, and their split by patient."""
