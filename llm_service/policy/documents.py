"""What a client's document may hold, whatever model it is for."""

from typing import Any

from chassis.document import BadDocument, read_object
from llm_service.policy.refusals import bad, unsupported

CHAT_DECIDING = ("model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n")
"""Keys that decide: twice in one document, we and the provider might read different ones."""
PROMPT_DECIDING = ("model", "stream", "stream_options", "max_tokens", "n", "best_of", "prompt")
MESSAGES_DECIDING = ("model", "stream", "max_tokens")

OF_THE_ROUTER = ("models", "fallbacks")
"""Other models that a server may answer with (OpenRouter's word, and Anthropic's): the catalogue says who answers, with
what a tenant may use, at its prices.
"""
NOT_HERE = "is not supported by this platform"
MAX_DEPTH = 64
MAX_MESSAGES = 2048
MAX_PROMPTS = 2048


def read_chat(body: bytes) -> dict[str, Any]:
    """Of chat completions. BadDocument if it is no object, is not plain JSON, or decides something twice; Unsupported
    where it names other models.
    """
    return _read_conversation(body, CHAT_DECIDING)


def read_messages(body: bytes) -> dict[str, Any]:
    """Of Anthropic's messages. BadDocument as above; Unsupported for a conversation that is kept at the provider, under
    the platform's account: it would be every tenant's.
    """
    document = _read_conversation(body, MESSAGES_DECIDING)
    if document.get("thread") is not None:
        unsupported("thread", NOT_HERE)
    return document


def _read_conversation(body: bytes, deciding: tuple[str, ...]) -> dict[str, Any]:
    document = read_object(body, deciding)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        bad("messages", "must be a list with at least one message")
    if len(messages) > MAX_MESSAGES:
        bad("messages", f"must have at most {MAX_MESSAGES} messages")
    if not all(isinstance(message, dict) for message in messages):
        bad("messages", "must hold objects")
    check_router(document)
    check_depth(document)
    return document


def read_prompt(body: bytes) -> dict[str, Any]:
    """Of completions: a text, token ids, or a list of either. BadDocument as above."""
    document = read_object(body, PROMPT_DECIDING)
    prompt = document.get("prompt")
    if isinstance(prompt, list):
        if not prompt or (len(prompt) > MAX_PROMPTS and not isinstance(prompt[0], int)):
            bad("prompt", f"must have 1 to {MAX_PROMPTS} texts")
        if not (_all_of(prompt, str) or _are_ids(prompt) or all(_are_ids(row) for row in prompt)):
            bad("prompt", "must be a text, token ids, or a list of either")
    elif not isinstance(prompt, str):
        bad("prompt", "must be a text, token ids, or a list of either")
    check_router(document)
    check_depth(document)
    return document


def _are_ids(row: object) -> bool:
    return isinstance(row, list) and bool(row) and _all_of(row, int) and not any(isinstance(item, bool) for item in row)


def _all_of(items: list[Any], kind: type) -> bool:
    return all(isinstance(item, kind) for item in items)


def check_router(document: dict[str, Any]) -> None:
    """Unsupported if it names other models that may answer."""
    for key in OF_THE_ROUTER:
        if document.get(key):
            unsupported(key, NOT_HERE)


def check_depth(document: object) -> None:
    """BadDocument if it is nested so deep that a reader of it may die."""
    layer: list[object] = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            child
            for item in layer
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(child, dict | list)
        ]
        if not layer:
            return
    raise BadDocument(f"The body is nested more than {MAX_DEPTH} levels deep.")
