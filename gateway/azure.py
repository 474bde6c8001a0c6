"""Azure's client pointed here: its paths, of both kinds of API, as the ecosystem's own.

Azure names the model in the path, as a deployment; what the document says of it does not count. Which versions of the
API it asks for (`api-version`) makes no difference.
"""

import re
from typing import Any, NamedTuple

import orjson

from chassis.members import with_member

PREFIX = "/openai/"
_PATH = re.compile(r"/openai/(?:v1/|deployments/(.+?)/(?=(?:chat/completions|completions|embeddings)$))?(.*)")


class Place(NamedTuple):
    """A path of ours; the model, where the path names it."""

    path: str
    deployment: str


def place_of(path: str) -> Place:
    """Of a path that begins with PREFIX."""
    found = _PATH.fullmatch(path)
    deployment, rest = found.groups() if found else (None, "")
    return Place(f"/v1/{rest}", deployment or "")


def deployed(state: dict[str, Any], body: bytes, document: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The document with the path's model in it, where there is one; no other byte changes."""
    name = state.get("deployment")
    if not name or document.get("model") == name:
        return body, document
    return with_member(body, document, "model", orjson.dumps(name)), document | {"model": name}
