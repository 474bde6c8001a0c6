"""Conversations that are kept, and the queries on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Conversation:
    """Its maker's, whom nobody else of the tenant overhears."""

    id: str
    tenant_id: str
    user_id: str
    title: str
    created_at: datetime
    said: int = 0
    """Messages that were ever added; the oldest may be gone."""


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message, by whom and when; an answer's has its id."""

    role: str
    content: str
    created_at: datetime
    answer_id: str = ""
    documents: tuple[str, ...] = ()
    """Ids of those that an answer's words may be of. They are not read back."""


class ConversationQueries(Protocol):
    """On a user's conversations."""

    async def add_conversation(self, conversation: Conversation) -> None: ...

    async def count_conversations(self, tenant_id: str) -> int: ...

    async def find_conversation(
        self, tenant_id: str, user_id: str, conversation_id: str, *, lock: bool = False
    ) -> Conversation | None:
        """If `lock`, nobody else adds to it until the transaction ends."""

    async def list_conversations(
        self, tenant_id: str, user_id: str, size: int, after: tuple[str | int, ...] | None
    ) -> list[Conversation]: ...

    async def delete_conversation(self, tenant_id: str, user_id: str, conversation_id: str) -> bool: ...

    async def conversation_messages(self, tenant_id: str, conversation_id: str) -> list[KeptMessage]:
        """Oldest first."""

    async def say(self, conversation: Conversation, messages: Sequence[KeptMessage], most: int) -> None:
        """Adds messages; those that would be more than `most` in all fall out, the oldest first."""
