"""Conversations that are kept, for `chat` with a `conversation_id`: begun, listed, read, deleted by who began them."""

from typing import Annotated, Any

from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import APIRouter, Path
from pydantic import Field

from gateway.admission import Call
from gateway.routes.common import (
    AUTHENTICATED,
    Body,
    Cursor,
    Limit,
    Services,
    StrictRoute,
    iso,
    managed,
    page,
    problems,
)

router = APIRouter(route_class=StrictRoute, prefix="/api/v1/services/rag/conversations", tags=["retrieval"])

Id = Annotated[str, Path(max_length=64)]


class NewConversation(Body):
    """A conversation to begin."""

    model_config = {"extra": "forbid", "json_schema_extra": {"examples": [{"title": "Warranty"}]}}

    title: Annotated[str, Field(max_length=200)] = ""


@router.post("", status_code=201, responses=AUTHENTICATED | problems(400, 422), operation_id="createConversation")
async def create_conversation(
    body: NewConversation, services: Services, call: Call = managed("inference", audit="conversation.create")
) -> dict[str, Any]:
    """Begins a conversation."""
    request = pb.CreateConversationRequest(title=body.title)
    made = _conversation((await services.rag.CreateConversation(request, context=call.context)).conversation)
    if call.deed is not None:
        call.deed.resource_id = made["id"]
    return made


@router.get("", responses=AUTHENTICATED | problems(400), operation_id="listConversations")
async def list_conversations(
    services: Services, limit: Limit = 50, cursor: Cursor = "", call: Call = managed("inference")
) -> dict[str, Any]:
    """The caller's conversations, newest first."""
    request = pb.ListConversationsRequest(page_size=limit, page_token=cursor)
    found = await services.rag.ListConversations(request, context=call.context)
    return page([_conversation(row) for row in found.conversations], found.next_page_token)


@router.get("/{conversation_id}", responses=AUTHENTICATED | problems(404), operation_id="getConversation")
async def get_conversation(
    conversation_id: Id, services: Services, call: Call = managed("inference")
) -> dict[str, Any]:
    """A conversation with its messages, oldest first."""
    found = await services.rag.GetConversation(pb.GetConversationRequest(id=conversation_id), context=call.context)
    said = [
        {
            "role": row.role,
            "content": row.content,
            "answer_id": row.answer_id or None,
            "created_at": iso(row.create_time),
        }
        for row in found.messages
    ]
    return _conversation(found.conversation) | {"messages": said}


@router.delete(
    "/{conversation_id}", status_code=204, responses=AUTHENTICATED | problems(404), operation_id="deleteConversation"
)
async def delete_conversation(
    conversation_id: Id, services: Services, call: Call = managed("inference", audit="conversation.delete")
) -> None:
    """Deletes a conversation with its messages; the receipts of its answers stay for their time."""
    await services.rag.DeleteConversation(pb.DeleteConversationRequest(id=conversation_id), context=call.context)
    if call.deed is not None:
        call.deed.resource_id = conversation_id


def _conversation(row: pb.Conversation) -> dict[str, Any]:
    return {"id": row.id, "title": row.title, "messages_count": row.messages, "created_at": iso(row.create_time)}
