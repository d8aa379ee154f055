"""Every sentence that users see can be translated, and the tools that collect them find it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gliomaai_training.vocabulary import CLINICAL_WORDS, NOTICE
from GliomaAILib.assessment.lobes import LOBES
from GliomaAILib.review.export import STAGES
from GliomaAILib.review.message import CONTEXT, Message, ToldError, verbatim
from GliomaAILib.review.recognition import notice
from GliomaAILib.review.running import ANALYSIS_PACE
from GliomaAILib.review.sentences import SENTENCES
from GliomaAILib.review.words import WORDS, word

MODULE = Path(__file__).resolve().parents[1] / "GliomaAI"
FACES = [MODULE / "GliomaAI.py", *sorted((MODULE / "GliomaAILib" / "panels").glob("*.py"))]
REVIEW = sorted((MODULE / "GliomaAILib" / "review").glob("*.py"))
MARKS = {"_", "translate"}

FRENCH = {"{side}, crosses": "passe le milieu à {side}", "left": "gauche"}

SENTENCE = re.compile(r"[A-Za-z]\w*[,:;]? [A-Za-z(]")
"""Two words with a blank between: what a person reads, and no name of the program's."""

NO_TEXT_OF_THE_WINDOW = {
    "GliomaAI contributors",  # a name
    "simulated patient",  # a folder
    "GliomaAI export",  # a folder
    "it takes too long",  # said by a test
    "Longest diameter",  # names of nodes, which are kept in a scene and in files
    "Perpendicular diameter",
    " mm",
    "is none of",  # a mistake of the program's
    *WORDS,  # marked there
}


def name_of(file: Path) -> str:
    return file.relative_to(MODULE).as_posix()


def docstrings(tree: ast.AST) -> set[int]:
    """Texts that stand alone: of modules, classes, functions, and of what was just assigned."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def marked(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            yield node


def unmarked(source: str) -> list[str]:
    """Sentences of a source that no translation would ever be looked up for."""
    tree = ast.parse(source)
    known = docstrings(tree)
    for call in marked(tree):
        known |= {id(part) for argument in call.args for part in ast.walk(argument)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in known and SENTENCE.search(node.value)
        if node.value.strip() not in NO_TEXT_OF_THE_WINDOW
    ]


def badly_marked(source: str) -> list[str]:
    """Calls whose text the tools cannot read: it is put together, or its context is unknown."""
    found = []
    for call in marked(ast.parse(source)):
        texts = [argument for argument in call.args if isinstance(argument, ast.Constant)]
        count = 2 if isinstance(call.func, ast.Name) and call.func.id == "translate" else 1
        if len(call.args) != count or len(texts) != count:
            found.append(ast.unparse(call))
    return found


@pytest.mark.parametrize("file", [*FACES, *REVIEW], ids=name_of)
def test_every_sentence_is_marked(file: Path) -> None:
    source = file.read_text("utf-8")
    assert unmarked(source) == []
    if file.name not in ("message.py", "build.py"):
        assert badly_marked(source) == []


@pytest.mark.parametrize("file", REVIEW, ids=name_of)
def test_a_review_speaks_in_one_context(file: Path) -> None:
    calls = list(marked(ast.parse(file.read_text("utf-8"))))
    assert {call.args[0].value for call in calls} <= {CONTEXT}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("qt.QLabel('Not marked')", 1),
        ("qt.QLabel(f'Put together {x}')", 1),
        ("qt.QLabel(_('Marked well'))", 0),
        ("Message(translate('GliomaAI', 'Marked well'))", 0),
        ("def f():\n    'A docstring.'\n    qt.QLabel('T1')", 0),
    ],
)
def test_a_forgotten_sentence_is_found(source: str, count: int) -> None:
    assert len(unmarked(source)) == count


@pytest.mark.parametrize("source", ["_(text)", "_(f'{n} voxels')", "translate(CONTEXT, 'a b')"])
def test_a_text_that_tools_cannot_read_is_found(source: str) -> None:
    assert len(badly_marked(source)) == 1


def test_words_from_elsewhere_are_marked() -> None:
    elsewhere = {*LOBES, *ANALYSIS_PACE.seconds, *(w for ws in CLINICAL_WORDS.values() for w in ws)}
    chains = (MODULE / "GliomaAILib" / "review" / "chains.py").read_text("utf-8")
    elsewhere |= set(re.findall(r'^[A-Z]+ING = "([^"]+)"', chains, re.MULTILINE))
    elsewhere |= set(STAGES.values())
    assert len(elsewhere) > 25
    assert elsewhere <= set(WORDS)


def findings(source: str) -> Iterator[str]:
    """The sentences of a source's findings that hold nothing of a case, and are shown."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Finding":
            continue
        given = [*node.args[2:4], *(one.value for one in node.keywords if one.arg in _SPOKEN)]
        texts = [one.value for one in given if isinstance(one, ast.Constant)]
        # An option of the command line is not named in a window.
        yield from (str(text) for text in texts if text and "--" not in str(text))


_SPOKEN = ("message", "action")


def test_findings_are_marked() -> None:
    """A finding whose words are new is added to `review/sentences.py`, or taken from there."""
    root = MODULE.parent
    sources = [
        *sorted((MODULE / "GliomaAILib").rglob("*.py")),
        *sorted((root / "GliomaAITraining" / "gliomaai_training").rglob("*.py")),
    ]
    said = {one for file in sources for one in findings(file.read_text("utf-8"))}
    assert len(said) > 40
    assert said - SENTENCES == set(), "not translated"
    assert SENTENCES - said == set(), "said no more"


def test_a_finding_is_shown_in_the_user_s_language() -> None:
    shown = notice(
        {
            "code": "assessment.no_tumour",
            "severity": "warning",
            "message": "No tumour was found.",
            "action": "It was {not} expected.",
        }
    )
    assert shown.message.rendered(lambda text: f"[{text}]") == "[No tumour was found.]"
    assert shown.action is not None
    assert str(shown.action) == "It was {not} expected."


def test_values_may_be_translated_too() -> None:
    message = Message("{side}, crosses", {"side": word("left")})
    assert message.rendered(lambda text: FRENCH[text]) == "passe le milieu à gauche"
    assert str(message) == "left, crosses"
    assert str(word("from {elsewhere}")) == "from {elsewhere}"
    assert str(verbatim("{n}")) == "{n}"
    assert str(ToldError(message)) == "left, crosses"


def test_the_notice_of_the_window_is_the_notice() -> None:
    assert NOTICE in (MODULE / "GliomaAILib" / "panels" / "build.py").read_text("utf-8")
