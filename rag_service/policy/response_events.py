"""The events of a response whose files were searched: those of the model's, with the search before them, and with the
citations of what it says. Numbers and places are counted anew.
"""

from collections.abc import Callable
from typing import Any

import orjson

OPENING = frozenset(("response.created", "response.queued", "response.in_progress"))
DONE = "response.output_text.done"
ENDS = frozenset(("response.completed", "response.incomplete"))
STEPS = ("in_progress", "searching", "completed")


class ResponseEvents:
    """Feed it the model's events, one by one and in order. `call` is the item that says what was searched; `patched`
    makes a response one that its client can take for the answer to its own request.
    """

    def __init__(self, call: dict[str, Any] | None, patched: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._call = call
        self._patched = patched
        self._number = 0
        self._told = call is None
        self._notes: dict[tuple[int, int], list[dict[str, Any]]] = {}
        self._shift = 0 if call is None else 1

    def take(self, told: dict[str, Any], notes: list[dict[str, Any]] | None = None) -> bytes:
        """The events that one is. `notes`: the annotations of a text that is done."""
        kind = str(told.get("type"))
        before = b"" if self._told or kind in ("response.created", "response.queued") else self._searched(kind)
        place = int(told.get("output_index") or 0), int(told.get("content_index") or 0)
        if kind == DONE and notes:
            self._notes[place] = notes
            before += self._annotated(told, notes)
        told = self._mended(told, place)
        events = before + self._event(kind, told)
        if kind == "response.in_progress" and not self._told:
            events += self._search()
        return events

    def whole(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response that has ended, with the search and the citations in it."""
        output = [self._item(item, index) for index, item in enumerate(response.get("output") or ())]
        return self._patched(response) | {"output": [*([self._call] if self._call else ()), *output]}

    def _mended(self, told: dict[str, Any], place: tuple[int, int]) -> dict[str, Any]:
        told = dict(told)
        if isinstance(told.get("response"), dict):
            ended = told.get("type") in ENDS
            told["response"] = self.whole(told["response"]) if ended else self._patched(told["response"])
        if isinstance(told.get("item"), dict):
            told["item"] = self._item(told["item"], place[0])
        if isinstance(told.get("part"), dict) and place in self._notes and told["part"].get("type") == "output_text":
            told["part"] = told["part"] | {"annotations": self._notes[place]}
        if "output_index" in told:
            told["output_index"] = place[0] + self._shift
        return told

    def _item(self, item: dict[str, Any], index: int) -> dict[str, Any]:
        if item.get("type") != "message" or not isinstance(item.get("content"), list):
            return item
        parts = [
            part | {"annotations": self._notes[index, place]} if (index, place) in self._notes else part
            for place, part in enumerate(item["content"])
        ]
        return item | {"content": parts}

    def _searched(self, kind: str) -> bytes:
        return b"" if kind in OPENING else self._search()

    def _search(self) -> bytes:
        self._told = True
        assert self._call is not None
        begun = self._call | {"status": "in_progress", "results": None}
        events = self._event("response.output_item.added", {"output_index": 0, "item": begun})
        for step in STEPS:
            told = {"output_index": 0, "item_id": self._call["id"]}
            events += self._event(f"response.file_search_call.{step}", told)
        return events + self._event("response.output_item.done", {"output_index": 0, "item": self._call})

    def _annotated(self, told: dict[str, Any], notes: list[dict[str, Any]]) -> bytes:
        place = {
            "item_id": told.get("item_id"),
            "output_index": int(told.get("output_index") or 0) + self._shift,
            "content_index": told.get("content_index") or 0,
        }
        return b"".join(
            self._event(
                "response.output_text.annotation.added", place | {"annotation_index": index, "annotation": note}
            )
            for index, note in enumerate(notes)
        )

    def _event(self, kind: str, told: dict[str, Any]) -> bytes:
        document = told | {"type": kind, "sequence_number": self._number}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(document))

    def note(self, index: int, place: int, notes: list[dict[str, Any]]) -> None:
        """The annotations of a text of a whole response."""
        if notes:
            self._notes[index, place] = notes
