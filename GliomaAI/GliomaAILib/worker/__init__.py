"""The child process that runs models, and how others speak with it."""
