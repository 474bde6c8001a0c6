"""Answers out of documents: search, ask the model, ground what it says, keep a receipt."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

from rag_service.domain.answers import Answer, Answerer, Citation, Grounding, Message, Question, Read, Receipt
from rag_service.domain.conversations import KeptMessage
from rag_service.domain.errors import AnswerNotFound, ConversationNotFound, bad
from rag_service.domain.search import Found, Passage, Seeking
from rag_service.domain.store import Store
from rag_service.domain.usage import Tally
from rag_service.domain.vectors import Embedder
from rag_service.policy import answers as policy
from rag_service.policy import grounding
from rag_service.policy.asking import asked
from rag_service.policy.evidence import Evidence
from rag_service.service.conversations import Conversations
from rag_service.service.documents import new_id
from rag_service.service.reading import Reading
from rag_service.service.rewriting import Rewriting
from rag_service.service.search import Search

MAX_MESSAGES = 256
MAX_TOP_K = 50
ROLES = frozenset(("system", "user", "assistant"))


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """Models and bounds. Tokens where a model's window is not known, and at most where it is; how long receipts and how
    many messages of a conversation are kept.
    """

    model: str
    judge_model: str
    answer_tokens: int
    context_tokens: int
    max_context_tokens: int
    max_query: int
    receipt_days: int
    kept_messages: int
    candidates: int = 20
    """Passages that are read; the best `top_k` of them are shown to the model."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and under which request."""

    tenant_id: str
    user_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class _Basis:
    """What an answer rests on, before it is given."""

    found: Found
    evidence: Evidence
    passages: list[Passage]
    reading: Reading
    messages: tuple[Message, ...]
    given: int


class Answers:
    """Answers questions. No transaction is open while a model works."""

    def __init__(
        self,
        store: Store,
        search: Search,
        rewriting: Rewriting,
        conversations: Conversations,
        models: tuple[Answerer, Embedder],
        clock: Callable[[], datetime],
        rules: AnswerRules,
    ) -> None:
        self._store = store
        self._search = search
        self._rewriting = rewriting
        self.conversations = conversations
        self._answerer, self._embedder = models
        self._clock = clock
        self._rules = rules

    async def stream(self, asker: Asker, question: Question) -> AsyncGenerator[list[Citation] | str | Answer, None]:
        """The passages that may be cited, words as they come, the whole answer last (it may differ from its words)."""
        self._check(question)
        tally = Tally()
        basis = await self._basis(asker, question, tally)
        passages = basis.passages
        yield [policy.whole(number, passage) for number, passage in enumerate(passages, 1)]
        model = question.model or self._rules.model
        said, prompt_hash = "", ""
        if passages or question.grounding is Grounding.PREFERRED:
            messages = policy.prompt(basis.messages, passages, basis.given)
            prompt_hash = policy.prompt_hash(messages)
            tally.stage = "answer"
            async with aclosing(self._answerer.stream(model, messages, self._rules.answer_tokens, tally)) as words:
                async for word in words:
                    said += word
                    yield word
        claims = grounding.claims(said, passages)
        cosines = await basis.reading.cosines(grounding.alike(claims), "ground")
        state, content, citations = grounding.ground(claims, basis.evidence, question.grounding, cosines)
        answer = Answer(new_id(), state, content, tuple(citations), model, tuple(tally.lines), question.conversation_id)
        await self._keep(asker, question, answer, basis, prompt_hash)
        yield answer

    @property
    def model(self) -> str:
        """The one that answers where a question names none."""
        return self._rules.model

    async def answer(self, asker: Asker, question: Question) -> Answer:
        """The whole answer."""
        async with aclosing(self.stream(asker, question)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        raise AssertionError  # a stream ends with its answer

    async def receipt(self, tenant_id: str, answer_id: str) -> Receipt:
        """AnswerNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.get_receipt(tenant_id, answer_id, self._clock())
        if found is None:
            raise AnswerNotFound
        return found

    async def _basis(self, asker: Asker, question: Question, tally: Tally) -> _Basis:
        messages = question.messages
        if question.conversation_id:
            _, kept = await self.conversations.get(asker.tenant_id, asker.user_id, question.conversation_id)
            # What was forgotten is empty.
            before = [Message(row.role, row.content) for row in kept if row.content]
            messages = (*before, *messages)
        model = question.model or self._rules.model
        rules = self._rules
        given = policy.budget(
            await self._answerer.window(model), rules.answer_tokens, rules.context_tokens, rules.max_context_tokens
        )
        tally.stage = "condense"
        query = await self._rewriting.condensed(messages, rules.max_query, tally)
        count = max(question.top_k, rules.candidates)
        seeking = Seeking(query, count, question.collection, question.filter, rerank=question.rerank)
        found = await self._search.find(asker.tenant_id, seeking, tally)
        reading = Reading(self._embedder, rules.judge_model, asked(query, messages[-1].content), tally)
        evidence = await reading.evidence(found.passages, question.top_k)
        return _Basis(found, evidence, policy.fitting(evidence.passages, given), reading, messages, given)

    async def _keep(self, asker: Asker, question: Question, answer: Answer, basis: _Basis, prompt_hash: str) -> None:
        """The receipt, and what was said in a conversation, in one transaction."""
        now = self._clock()
        cited = {citation.chunk_id for citation in answer.citations}
        receipt = Receipt(
            answer=answer,
            created_at=now,
            expires_at=now + timedelta(days=self._rules.receipt_days),
            request_id=asker.request_id,
            collection=question.collection,
            query=basis.found.query,
            mode=basis.found.mode,
            prompt_sha256=prompt_hash,
            passages=tuple(_read(passage, cited=passage.chunk_id in cited) for passage in basis.passages),
        )
        async with self._store.transaction(asker.tenant_id) as repository:
            if self._rules.receipt_days:
                await repository.add_receipt(asker.tenant_id, receipt)
            if not question.conversation_id:
                return
            talk = await repository.find_conversation(
                asker.tenant_id, asker.user_id, question.conversation_id, lock=True
            )
            if talk is None:
                raise ConversationNotFound
            said = [KeptMessage(row.role, row.content, now) for row in question.messages if row.role != "system"]
            documents = tuple({passage.document_id: None for passage in basis.passages})
            said.append(KeptMessage("assistant", answer.content, now, answer.id, documents))
            await repository.say(talk, said[-self._rules.kept_messages :], self._rules.kept_messages)

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


def _read(passage: Passage, *, cited: bool) -> Read:
    return Read(
        document_id=passage.document_id,
        document_version=passage.version,
        chunk_id=passage.chunk_id,
        chunk_sha256=hashlib.sha256(passage.text.encode()).hexdigest(),
        page=passage.page,
        start=passage.start,
        end=passage.end,
        scores=passage.scores,
        cited=cited,
    )
