"""The desktop face: one file for each section of the module's panel."""
