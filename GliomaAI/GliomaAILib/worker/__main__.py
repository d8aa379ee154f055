"""`python -m GliomaAILib.worker`: the worker process, as `client.Worker` starts it."""

import argparse
import logging
import os
import sys

IDLE_S = 900.0
"""A worker with nothing to do ends after so long, and gives its memory back."""


def main() -> int:
    """Serves standard input until it ends, or until the worker is idle too long."""
    parser = argparse.ArgumentParser(prog="python -m GliomaAILib.worker", description=__doc__)
    parser.add_argument("--idle-s", type=float, default=IDLE_S)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    # Whatever a library prints must not get between the messages: it goes to standard error.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from GliomaAILib.worker.jobs import Jobs, explain
    from GliomaAILib.worker.serve import Server

    Server(sys.stdin, events, Jobs(), explain).serve(arguments.idle_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
