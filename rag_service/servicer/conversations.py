"""Conversations that are kept, on the wire."""

from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import context
from chassis.pagination import PageRequest
from rag_service.domain.conversations import Conversation, KeptMessage
from rag_service.service.conversations import Conversations
from rag_service.servicer.wire import tenant, time_of


class ConversationsServicer(RagServiceServicer):
    """Conversations."""

    _conversations: Conversations

    async def CreateConversation(self, request: pb.CreateConversationRequest, _: Any) -> pb.CreateConversationResponse:
        made = await self._conversations.create(tenant(), context.current().user_id, request.title)
        return pb.CreateConversationResponse(conversation=_conversation(made, 0))

    async def GetConversation(self, request: pb.GetConversationRequest, _: Any) -> pb.GetConversationResponse:
        found, messages = await self._conversations.get(tenant(), context.current().user_id, request.id)
        return pb.GetConversationResponse(
            conversation=_conversation(found, len(messages)), messages=[_message(row) for row in messages]
        )

    async def ListConversations(self, request: pb.ListConversationsRequest, _: Any) -> pb.ListConversationsResponse:
        paging = PageRequest.parse(request.page_size, request.page_token)
        page = await self._conversations.list(tenant(), context.current().user_id, paging)
        return pb.ListConversationsResponse(
            conversations=[_conversation(row, row.said) for row in page.items], next_page_token=page.next_cursor
        )

    async def DeleteConversation(self, request: pb.DeleteConversationRequest, _: Any) -> pb.DeleteConversationResponse:
        await self._conversations.delete(tenant(), context.current().user_id, request.id)
        return pb.DeleteConversationResponse()


def _conversation(row: Conversation, messages: int) -> pb.Conversation:
    return pb.Conversation(id=row.id, title=row.title, messages=messages, create_time=time_of(row.created_at))


def _message(row: KeptMessage) -> pb.KeptMessage:
    return pb.KeptMessage(
        role=row.role, content=row.content, answer_id=row.answer_id, create_time=time_of(row.created_at)
    )
