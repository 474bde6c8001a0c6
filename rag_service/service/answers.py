"""Answers out of documents: search, ask the model, and ground what it says."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from rag_service.domain.answers import Answer, Answerer, Citation, Grounding, Question
from rag_service.domain.search import Passage, Seeking
from rag_service.domain.usage import Tally
from rag_service.policy import answers as policy
from rag_service.service.collections import bad
from rag_service.service.documents import new_id
from rag_service.service.rewriting import Rewriting
from rag_service.service.search import Search

MAX_MESSAGES = 256
MAX_TOP_K = 50
ROLES = frozenset(("system", "user", "assistant"))


class Answers:
    """Answers questions. No transaction is open while the model works."""

    def __init__(
        self,
        search: Search,
        rewriting: Rewriting,
        answerer: Answerer,
        *,
        model: str,
        answer_tokens: int,
        context_tokens: int,
        max_query: int,
    ) -> None:
        self._search = search
        self._rewriting = rewriting
        self._answerer = answerer
        self._model = model
        self._answer_tokens = answer_tokens
        self._context_tokens = context_tokens
        self._max_query = max_query

    async def stream(self, tenant_id: str, question: Question) -> AsyncGenerator[list[Citation] | str | Answer, None]:
        """The passages that may be cited, words as they come, the whole answer last (it may differ from its words)."""
        self._check(question)
        tally = Tally()
        passages = await self._passages(tenant_id, question, tally)
        yield [policy.whole(number, passage) for number, passage in enumerate(passages, 1)]
        model = question.model or self._model
        said = ""
        if passages or question.grounding is Grounding.PREFERRED:
            messages = policy.prompt(question.messages, passages, self._context_tokens)
            async with aclosing(self._answerer.stream(model, messages, self._answer_tokens, tally)) as words:
                async for word in words:
                    said += word
                    yield word
        state, content, citations = policy.ground(said, passages, question.grounding)
        yield Answer(new_id(), state, content, tuple(citations), model, tuple(tally.lines))

    async def answer(self, tenant_id: str, question: Question) -> Answer:
        """The whole answer."""
        async with aclosing(self.stream(tenant_id, question)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise AssertionError  # a stream ends with its answer

    async def _passages(self, tenant_id: str, question: Question, tally: Tally) -> list[Passage]:
        query = await self._rewriting.condensed(question.messages, self._max_query, tally)
        seeking = Seeking(query, question.top_k, question.collection, question.filter)
        found = await self._search.find(tenant_id, seeking, tally)
        return policy.fitting(policy.relevant(query, found.passages), self._context_tokens * 2 // 3)

    @staticmethod
    def _check(question: Question) -> None:
        messages = question.messages
        if not 1 <= len(messages) <= MAX_MESSAGES:
            raise bad("messages", f"must have 1 to {MAX_MESSAGES} messages")
        if any(message.role not in ROLES for message in messages):
            raise bad("messages", "must have the roles system, user or assistant")
        if messages[-1].role != "user" or not messages[-1].content.strip():
            raise bad("messages", "must end with a message of the user that is not empty")
        if not 1 <= question.top_k <= MAX_TOP_K:
            raise bad("top_k", f"must be from 1 to {MAX_TOP_K}")
