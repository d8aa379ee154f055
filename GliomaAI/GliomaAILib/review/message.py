"""Sentences for the user, kept apart from their values so that a face can translate them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """One sentence; `text` names its values in braces, as `str.format` does."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.rendered()

    def rendered(self, translate: Callable[[str], str] = str) -> str:
        """The sentence in the language of `translate`."""
        return translate(self.text).format(**self.values)


def verbatim(text: str) -> Message:
    """A sentence that comes from elsewhere, as it is."""
    return Message("{text}", {"text": text})
