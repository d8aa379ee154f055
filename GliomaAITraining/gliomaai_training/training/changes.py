"""Changes to a recipe by the path of what they change, for comparisons and the command line.

network.global_branch: false
stages.multitask.objective.ranking: null
stages.adaptation: null                     leaves the stage out
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

STAGES = "stages"


def changed(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's content with changes; what is not there yet is added.

    Args:
        recipe: as its YAML file has it.
        changes: by path; a stage goes by its name, and null leaves it out.

    Raises:
        ValueError: a path leads to a stage that is not there, or through something without parts.
    """
    content = deepcopy(dict(recipe))
    for path, value in changes.items():
        words = path.split(".")
        if words[0] != STAGES:
            _put(content, words, value)
        elif len(words) == 2 and value is None:
            content[STAGES].remove(_stage(content, words[1]))
        elif len(words) > 2:
            _put(_stage(content, words[1]), words[2:], value)
        else:
            raise ValueError(f"{path} can only be null, which leaves the stage out, not {value!r}")
    return content


def _put(place: dict[str, Any], words: list[str], value: Any) -> None:
    for word in words[:-1]:
        part = place.setdefault(word, {})
        if not isinstance(part, dict):
            raise ValueError(f"{word} is {part!r}, which has no {words[-1]!r} to change")
        place = part
    place[words[-1]] = value


def _stage(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    for stage in content.get(STAGES, ()):
        if stage.get("name") == name:
            found: dict[str, Any] = stage
            return found
    raise ValueError(f"the recipe has no stage {name!r}")
