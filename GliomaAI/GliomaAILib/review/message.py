"""Sentences for the user, kept apart from their values so that a face can translate them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

CONTEXT = "GliomaAI"
"""Of every sentence of a review, in the sense of Qt's translations."""


def translate(context: str, text: str) -> str:
    """Marks a sentence: the tools that collect what is to be translated know this name.

    Translated it is later, by the face. `context` is always `CONTEXT`, written out for the tools.
    """
    return text


@dataclass(frozen=True)
class Message:
    """One sentence; `text` names its values in braces, as `str.format` does."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)
    """A value may be a message itself."""

    def __str__(self) -> str:
        return self.rendered()

    def rendered(self, translated: Callable[[str], str] = str) -> str:
        """The sentence in the language of `translated`."""
        values = {
            name: value.rendered(translated) if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return translated(self.text).format(**values)


def verbatim(text: str) -> Message:
    """A sentence that comes from elsewhere, as it is."""
    return Message("{text}", {"text": text})


class ToldError(Exception):
    """Something that the user can put right; the message says how."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message
