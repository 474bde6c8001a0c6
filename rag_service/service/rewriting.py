"""Queries written anew by a language model: one that says what is sought, or the one that a conversation comes to."""

from collections.abc import Sequence
from contextlib import aclosing

from rag_service.domain.answers import Answerer, Message
from rag_service.domain.errors import ModelNotConfigured
from rag_service.domain.usage import Tally
from rag_service.policy.rewriting import condensing, kept_query, rewriting, search_query


class Rewriting:
    """Asks the configured model. Without one, a conversation is condensed by rule, and rewriting is refused."""

    def __init__(self, answerer: Answerer, model: str, tokens: int) -> None:
        self._answerer = answerer
        self._model = model
        self._tokens = tokens

    async def rewritten(self, query: str, tally: Tally) -> str:
        """The query, and in a second line what the model makes of it: its own words are never lost."""
        if not self._model:
            raise ModelNotConfigured("No model is configured that rewrites queries (AI_PLATFORM_RAG__REWRITE_MODEL).")
        return kept_query(query, await self._said(rewriting(query), tally))

    async def condensed(self, messages: Sequence[Message], most: int, tally: Tally) -> str:
        """What a conversation's last question asks for, where it does not say so itself."""
        plain = search_query(messages, most)
        if not self._model or sum(message.role == "user" for message in messages) < 2:
            return plain
        return kept_query(plain, await self._said(condensing(messages), tally))[-most:]

    async def _said(self, messages: Sequence[Message], tally: Tally) -> str:
        async with aclosing(self._answerer.stream(self._model, messages, self._tokens, tally)) as parts:
            return "".join([word async for word in parts])
