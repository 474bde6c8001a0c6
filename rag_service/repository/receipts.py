"""Rows of answers: their receipts."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rag_service.domain.answers import Answer, AnswerState, Citation, Read, Receipt
from rag_service.domain.search import Scores, SearchMode
from rag_service.domain.usage import UsedLine
from rag_service.repository.rows import Rows
from rag_service.repository.tables import answers, messages

SWEPT_AT_ONCE = 100


class ReceiptRows(Rows):
    """Queries on receipts."""

    async def add_receipt(self, tenant_id: str, receipt: Receipt) -> None:
        answer = receipt.answer
        await self._db.execute(
            answers.insert().values(
                id=answer.id,
                tenant_id=tenant_id,
                conversation_id=answer.conversation_id,
                request_id=receipt.request_id,
                collection=receipt.collection,
                query=receipt.query,
                mode=receipt.mode.value,
                state=answer.state.value,
                content=answer.content,
                model=answer.model,
                prompt_sha256=receipt.prompt_sha256,
                citations=[asdict(row) for row in answer.citations],
                passages=[asdict(row) for row in receipt.passages],
                used=[asdict(row) for row in answer.used],
                forgotten=receipt.forgotten,
                created_at=receipt.created_at,
                expires_at=receipt.expires_at,
            )
        )
        old = sa.select(answers.c.id).where(
            answers.c.tenant_id == tenant_id, answers.c.expires_at <= receipt.created_at
        )
        await self._db.execute(answers.delete().where(answers.c.id.in_(old.limit(SWEPT_AT_ONCE))))

    async def get_receipt(self, tenant_id: str, answer_id: str, at: datetime) -> Receipt | None:
        query = sa.select(answers).where(
            answers.c.tenant_id == tenant_id,
            sa.cast(answers.c.id, sa.Text) == answer_id.lower(),
            answers.c.expires_at > at,
        )
        row = (await self._db.execute(query)).one_or_none()
        return _receipt(row) if row else None

    async def erase_quotes(self, tenant_id: str, document_id: str) -> tuple[int, int]:
        read = answers.c.tenant_id == tenant_id, answers.c.passages.contains([{"document_id": document_id}])
        emptied = sa.text(
            'coalesce((SELECT jsonb_agg(item || \'{"quote": "", "title": ""}\') FROM jsonb_array_elements(citations)'
            " AS item), '[]')"
        )
        change = answers.update().where(*read).values(content="", citations=emptied, forgotten=True)
        named = (await self._db.execute(change.returning(sa.cast(answers.c.id, sa.Text)))).scalars().all()
        # Messages outlive receipts: they know their documents themselves.
        words = sa.or_(messages.c.documents.contains([document_id]), messages.c.answer_id.in_(named))
        said = messages.c.tenant_id == tenant_id, words, messages.c.content != ""
        emptied_messages = await self._db.execute(messages.update().where(*said).values(content=""))
        return len(named), int(emptied_messages.rowcount)

    async def count_quotes(self, tenant_id: str, document_id: str) -> int:
        read = answers.c.passages.contains([{"document_id": document_id}]), ~answers.c.forgotten
        said = messages.c.documents.contains([document_id]), messages.c.content != ""
        counts = (
            sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id == tenant_id, *which)
            for table, which in ((answers, read), (messages, said))
        )
        return sum([int((await self._db.execute(query)).scalar_one()) for query in counts])


def _receipt(row: Any) -> Receipt:
    answer = Answer(
        id=row.id,
        state=AnswerState(row.state),
        content=row.content,
        citations=tuple(Citation(**one) for one in row.citations),
        model=row.model,
        used=tuple(UsedLine(**one) for one in row.used),
        conversation_id=row.conversation_id,
    )
    return Receipt(
        answer=answer,
        created_at=row.created_at,
        expires_at=row.expires_at,
        request_id=row.request_id,
        collection=row.collection,
        query=row.query,
        mode=SearchMode(row.mode),
        prompt_sha256=row.prompt_sha256,
        passages=tuple(Read(**one | {"scores": Scores(**one["scores"])}) for one in row.passages),
        forgotten=row.forgotten,
    )
