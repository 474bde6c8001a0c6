"""What a model is asked when it rewrites a query, and what of its answer is believed."""

import re
from collections.abc import Sequence

from rag_service.domain.answers import Message
from rag_service.policy.terms import terms

REWRITE = (
    "Rewrite the search query so that it names what is sought in full words. Answer with the query alone, in one line."
)
CONDENSE = (
    "Write one search query for the last question of this conversation, with what it refers to spelt out."
    " Answer with the query alone, in one line."
)
LAST_MESSAGES = 6
MESSAGE_CHARACTERS = 600
QUERY_CHARACTERS = 300
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|that|this|those|these|he|him|his|she|her|there|former|latter)\b", re.IGNORECASE
)
"""Words that stand for what was said before."""


def rewriting(query: str) -> list[Message]:
    """What the model is given for a query."""
    return [Message("system", REWRITE), Message("user", query)]


def condensing(messages: Sequence[Message]) -> list[Message]:
    """What the model is given for a conversation."""
    said = [message for message in messages if message.role != "system"][-LAST_MESSAGES:]
    talk = "\n".join(f"{message.role}: {message.content[-MESSAGE_CHARACTERS:]}" for message in said)
    return [Message("system", CONDENSE), Message("user", talk)]


def kept_query(plain: str, said: str) -> str:
    """The plain query with the first line of what the model said, where that has a word of its own."""
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")[:QUERY_CHARACTERS]
    line = line.strip("\"' ")
    return f"{plain}\n{line}" if set(terms(line)) - set(terms(plain)) else plain


def search_query(messages: Sequence[Message], most: int) -> str:
    """What to search for, by rule: the last question, after the one before where it is short or points back."""
    asked = [message.content for message in messages if message.role == "user"]
    last = asked[-1]
    if len(asked) > 1 and (len(terms(last)) < 4 or _POINTING.search(last)):
        last = f"{asked[-2]}\n{last}"
    return last[-most:]
