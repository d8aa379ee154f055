"""JSON texts that a case keeps."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=8)
def read(text: str) -> Mapping[str, Any]:
    """A JSON text of the record, empty where there is none: the same is asked for all the time."""
    content: Mapping[str, Any] = json.loads(text) if text else {}
    return content
