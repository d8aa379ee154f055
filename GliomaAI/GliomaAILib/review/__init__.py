"""The review of one case: what is shown, what is enabled, which message, what a command does.

No qt, no slicer, no trame: any face shows the same review.
"""
