"""Why a multi-task network answers as it does: saliency, its sanity check, what sequences add."""
