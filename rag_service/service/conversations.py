"""Conversations that are kept on request: begun, listed, read, deleted by who began them; bounded."""

from collections.abc import Callable
from datetime import datetime

from chassis.pagination import Page, PageRequest
from rag_service.domain.conversations import Conversation, KeptMessage
from rag_service.domain.errors import ConversationNotFound, TooManyConversations, bad
from rag_service.domain.store import Store
from rag_service.service.documents import new_id

MAX_TITLE_CHARACTERS = 200


class Conversations:
    """A user's. `most` is of a tenant."""

    def __init__(self, store: Store, clock: Callable[[], datetime], most: int) -> None:
        self._store = store
        self._clock = clock
        self._most = most

    async def create(self, tenant_id: str, user_id: str, title: str) -> Conversation:
        """BadRequest, TooManyConversations."""
        if len(title) > MAX_TITLE_CHARACTERS:
            raise bad("title", f"must have at most {MAX_TITLE_CHARACTERS} characters")
        made = Conversation(new_id(), tenant_id, user_id, title, self._clock())
        async with self._store.transaction(tenant_id) as repository:
            if await repository.count_conversations(tenant_id) >= self._most:
                raise TooManyConversations
            await repository.add_conversation(made)
        return made

    async def get(self, tenant_id: str, user_id: str, conversation_id: str) -> tuple[Conversation, list[KeptMessage]]:
        """With its messages, oldest first. ConversationNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            found = await repository.find_conversation(tenant_id, user_id, conversation_id)
            if found is None:
                raise ConversationNotFound
            return found, await repository.conversation_messages(tenant_id, found.id)

    async def list(self, tenant_id: str, user_id: str, request: PageRequest) -> Page[Conversation]:
        """Newest first."""
        async with self._store.transaction(tenant_id) as repository:
            rows = await repository.list_conversations(tenant_id, user_id, request.size, request.after)
        return request.page(rows, lambda row: (round(row.created_at.timestamp() * 1_000_000), row.id))

    async def delete(self, tenant_id: str, user_id: str, conversation_id: str) -> None:
        """ConversationNotFound."""
        async with self._store.transaction(tenant_id) as repository:
            if not await repository.delete_conversation(tenant_id, user_id, conversation_id):
                raise ConversationNotFound
