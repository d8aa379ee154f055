"""Named analyses of real cohorts; each leaves a folder that says how it was made."""
