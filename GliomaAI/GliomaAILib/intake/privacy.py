"""Keeps what identifies a patient out of everything that is shown, logged or written."""

import hashlib
import re
from collections.abc import Iterable

MASK = "***"

LONG_TOKEN = 4
"""A name or number of at least this many characters is masked inside a longer word too."""

ISO_DATE = re.compile(r"^(\d{4})(\d{2})(\d{2})$")


def fingerprint(*values: str) -> str:
    """A short one-way mark by which values are compared without being shown."""
    return hashlib.sha256("\x00".join(values).encode()).hexdigest()[:16]


class IdentifierMask:
    """Replaces known identifiers in a text: patient names, numbers and dates of birth."""

    def __init__(self, identifiers: Iterable[str] = ()) -> None:
        tokens = {token for value in identifiers for token in _tokens(value)}
        patterns = [_pattern(token) for token in sorted(tokens, key=len, reverse=True)]
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def __call__(self, text: str) -> str:
        """The text with every known identifier replaced by `***`."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def _tokens(value: str) -> set[str]:
    """Every form of one identifier that a technician might have typed elsewhere."""
    value = value.strip()
    parts = [part for part in re.split(r"[\^\s,=._\\/-]+", value) if part]
    tokens = {value, *parts}
    if parts and len(parts) > 1:
        tokens |= {"".join(parts), "".join(reversed(parts))}
    if date := ISO_DATE.match(value):
        year, month, day = date.groups()
        for separator in (".", "-", "/", "_", ""):
            tokens |= {
                separator.join(p)
                for p in ((year, month, day), (day, month, year), (month, day, year))
            }
    return {token for token in tokens if len(token) > 1}


def _pattern(token: str) -> str:
    escaped = re.escape(token)
    if len(token) >= LONG_TOKEN and not token.isdigit():
        return escaped
    return rf"(?<![^\W_]){escaped}(?![^\W_])"
