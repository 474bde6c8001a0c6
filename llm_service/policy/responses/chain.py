"""Going on with stored responses: the provider is asked with the whole conversation, and keeps none of it.

So it is the same with every provider, an id is worth nothing to another tenant, and what is deleted here is gone. The
answer tells its client what was asked for, whatever the provider was asked.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from chassis.members import member_of, with_member, without_member
from llm_service.domain.responses import StoredResponse
from llm_service.policy.answers import read_answer
from llm_service.policy.responses.answer import new_id
from llm_service.policy.responses.document import items_of
from llm_service.policy.responses.request import ENCRYPTED
from llm_service.policy.sse import EventSplitter, data_of

SEARCHED = "file_search_call"
"""An item that says that files were searched: rag_service did it, and no model need know of it."""
WHOLE = ("completed", "incomplete")
"""The states of a response that can be gone on with."""
_OF_A_RESPONSE = re.compile(rb'"type"\s*:\s*"response\.(?:created|queued|in_progress|completed|incomplete|failed)"')


def provider_body(body: bytes, document: dict[str, Any], earlier: Iterable[dict[str, Any]], *, keep: bool) -> bytes:
    """The document with the conversation in it, for a provider that stores nothing. Else no byte changes."""
    document = dict(document)
    if document.get("store") is not False:
        body = with_member(body, document, "store", b"false")
        document["store"] = False
    if "previous_response_id" in document:
        body = without_member(body, "previous_response_id")
        del document["previous_response_id"]
    before, own = list(earlier), items_of(document)
    items = [item for item in own if item.get("type") != SEARCHED]
    if before or len(items) < len(own):
        body = with_member(body, document, "input", orjson.dumps([*before, *items]))
    include = document.get("include") or []
    if keep and document.get("reasoning") and isinstance(include, list) and ENCRYPTED not in include:
        # Thoughts that the provider does not keep can be gone on with only if they are in the answer.
        body = with_member(body, document, "include", orjson.dumps([*include, ENCRYPTED]))
    return body


def context_of(turn: StoredResponse) -> list[dict[str, Any]]:
    """What a turn was, as items of a later one's input. Ids say nothing to a provider that kept nothing."""
    items = [*orjson.loads(turn.input), *orjson.loads(turn.document).get("output", ())]
    said = [item for item in items if item.get("type") != SEARCHED]
    return [
        item if item.get("type") == "reasoning" else {key: value for key, value in item.items() if key != "id"}
        for item in said
        if item.get("type") != "reasoning" or item.get("encrypted_content")
    ]


def input_items(document: dict[str, Any]) -> bytes:
    """The request's own items, each with an id."""
    return orjson.dumps([{"id": new_id("msg")} | item for item in items_of(document)])


def mended(response: bytes, *, previous_id: str, stored: bool, own_id: str = "") -> bytes:
    """The response as its client must see it. `own_id`: in place of the id that it had when it was made."""
    document = read_answer(response)
    wanted: list[tuple[str, Any]] = [("store", stored), ("previous_response_id", previous_id or None)]
    for key, value in [*wanted, ("id", own_id)] if own_id else wanted:
        if document.get(key, ...) != value:
            response = with_member(response, document, key, orjson.dumps(value))
            document[key] = value
    return response


def mended_events(events: bytes, *, previous_id: str, stored: bool, own_id: str = "") -> bytes:
    """The same for a stream: only events that carry the whole response are looked into."""
    if not _OF_A_RESPONSE.search(events):
        return events
    return b"".join(_mended_event(event, previous_id, stored, own_id) for event in EventSplitter().feed(events))


def _mended_event(event: bytes, previous_id: str, stored: bool, own_id: str) -> bytes:
    data = data_of(event)
    if not _OF_A_RESPONSE.search(data):
        return event
    document = read_answer(data)
    inner = mended(member_of(data, "response"), previous_id=previous_id, stored=stored, own_id=own_id)
    name = str(document["type"]).encode()
    return b"event: %b\ndata: %b\n\n" % (name, with_member(data, document, "response", inner))


def whole_in(events: bytes) -> bytes | None:
    """The response that the last of these events completes, if it does."""
    if not any(b'"response.%b"' % state.encode() in events for state in WHOLE):
        return None
    for event in EventSplitter().feed(events):
        data = data_of(event)
        if data and read_answer(data).get("type") in (f"response.{state}" for state in WHOLE):
            return member_of(data, "response")
    return None


def page_of(items: bytes, *, most: int, after: str, ascending: bool) -> dict[str, Any]:
    """A page of a response's input items, in the form of OpenAI's lists."""
    found = orjson.loads(items)
    ordered = found if ascending else found[::-1]
    begin = next((place + 1 for place, item in enumerate(ordered) if after and item["id"] == after), 0)
    page = ordered[begin : begin + most]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + most < len(ordered),
    }
