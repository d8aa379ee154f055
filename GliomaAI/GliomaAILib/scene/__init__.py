"""MRML in and out: what a review asks of a scene, and how Slicer's scene answers."""
