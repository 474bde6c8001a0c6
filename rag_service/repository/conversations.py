"""Rows of conversations and their messages."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rag_service.domain.conversations import Conversation, KeptMessage
from rag_service.repository.rows import Rows, page_of
from rag_service.repository.tables import conversations, messages


class ConversationRows(Rows):
    """Queries on conversations."""

    async def add_conversation(self, conversation: Conversation) -> None:
        await self._db.execute(
            conversations.insert().values(
                id=conversation.id,
                tenant_id=conversation.tenant_id,
                user_id=conversation.user_id,
                title=conversation.title,
                said=conversation.said,
                created_at=conversation.created_at,
            )
        )

    async def count_conversations(self, tenant_id: str) -> int:
        query = sa.select(sa.func.count()).select_from(conversations).where(conversations.c.tenant_id == tenant_id)
        return int((await self._db.execute(query)).scalar_one())

    async def find_conversation(
        self, tenant_id: str, user_id: str, conversation_id: str, *, lock: bool = False
    ) -> Conversation | None:
        query = sa.select(conversations).where(*_mine(tenant_id, user_id, conversation_id))
        row = (await self._db.execute(query.with_for_update() if lock else query)).one_or_none()
        return _conversation(row) if row else None

    async def list_conversations(
        self, tenant_id: str, user_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Conversation]:
        query = sa.select(conversations).where(
            conversations.c.tenant_id == tenant_id, conversations.c.user_id == user_id
        )
        return [_conversation(row) for row in await self._db.execute(page_of(query, conversations, size, after))]

    async def delete_conversation(self, tenant_id: str, user_id: str, conversation_id: str) -> bool:
        gone = conversations.delete().where(*_mine(tenant_id, user_id, conversation_id))
        return bool((await self._db.execute(gone)).rowcount)

    async def conversation_messages(self, tenant_id: str, conversation_id: str) -> list[KeptMessage]:
        query = sa.select(messages).where(
            messages.c.tenant_id == tenant_id, messages.c.conversation_id == conversation_id
        )
        found = await self._db.execute(query.order_by(messages.c.position))
        return [KeptMessage(row.role, row.content, row.created_at, row.answer_id) for row in found]

    async def say(self, conversation: Conversation, added: Sequence[KeptMessage], most: int) -> None:
        place = {"tenant_id": conversation.tenant_id, "conversation_id": conversation.id}
        rows = [
            place
            | {
                "position": position,
                "role": message.role,
                "content": message.content,
                "answer_id": message.answer_id,
                "documents": list(message.documents),
                "created_at": message.created_at,
            }
            for position, message in enumerate(added, conversation.said)
        ]
        await self._db.execute(messages.insert(), rows)
        said = conversation.said + len(added)
        mine = conversations.c.tenant_id == conversation.tenant_id, conversations.c.id == conversation.id
        await self._db.execute(conversations.update().where(*mine).values(said=said))
        old = messages.delete().where(
            messages.c.tenant_id == conversation.tenant_id,
            messages.c.conversation_id == conversation.id,
            messages.c.position < said - most,
        )
        await self._db.execute(old)


def _mine(tenant_id: str, user_id: str, conversation_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        conversations.c.tenant_id == tenant_id,
        conversations.c.user_id == user_id,
        # As text: what is no UUID is not there, rather than an error.
        sa.cast(conversations.c.id, sa.Text) == conversation_id.lower(),
    )


def _conversation(row: Any) -> Conversation:
    return Conversation(row.id, row.tenant_id, row.user_id, row.title, row.created_at, row.said)
