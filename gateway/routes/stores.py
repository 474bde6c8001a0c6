"""What the routes of files and vector stores share: ids, pages and objects in OpenAI's shapes.

A vector store is a collection, its files are the collection's documents; ids are the same with OpenAI's beginnings.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import orjson
from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from fastapi import Path, Query
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.admission import Work
from gateway.routes.raw import wrong

FILE, STORE, BATCH = "file-", "vs_", "vsfb_"
_HEX = re.compile(r"[0-9a-f]{32}")
INGESTION = Work("rag", output_bounded=True)
"""What is embedded is admitted step by step, by rag_service."""
EFFECT = Work("rag", "effect")
NOBODYS = "00000000-0000-0000-0000-000000000000"
GOING_ON = (pb.DOCUMENT_STATUS_QUEUED, pb.DOCUMENT_STATUS_RUNNING)
STATUSES = {
    "in_progress": GOING_ON,
    "completed": (pb.DOCUMENT_STATUS_READY,),
    "failed": (pb.DOCUMENT_STATUS_FAILED,),
    "cancelled": (pb.DOCUMENT_STATUS_CANCELLED,),
}
STATUS_NAMES = {number: name for name, numbers in STATUSES.items() for number in numbers}
StoreId = Annotated[str, Path(max_length=64, description="Id of a vector store", examples=[f"vs_{'0' * 32}"])]
FileId = Annotated[str, Path(max_length=64, description="Id of a file", examples=[f"file-{'0' * 32}"])]
BatchId = Annotated[str, Path(max_length=64, description="Id of a batch", examples=[f"vsfb_{'0' * 32}"])]
FileText = Annotated[str, Field(min_length=1, max_length=64)]
Key = Annotated[str, Field(min_length=1, max_length=64)]
Attributes = Annotated[dict[Key, bool | int | float | Annotated[str, Field(max_length=512)]], Field(max_length=16)]
Metadata = Annotated[dict[Key, Annotated[str, Field(max_length=512)]], Field(max_length=16)]


class Strict(BaseModel):
    """A body of these routes: what is unknown in it is refused."""

    model_config = ConfigDict(extra="forbid")


class StaticChunking(Strict):
    """How texts are cut, in tokens (estimated)."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0, le=2048)]

    @model_validator(mode="after")
    def _fits(self) -> "StaticChunking":
        if self.chunk_overlap_tokens > self.max_chunk_size_tokens // 2:
            raise ValueError("chunk_overlap_tokens must be at most half of max_chunk_size_tokens")
        return self


class ChunkingStrategy(Strict):
    """`auto`: as the vector store says."""

    type: Literal["auto", "static"]
    static: StaticChunking | None = None

    @model_validator(mode="after")
    def _whole(self) -> "ChunkingStrategy":
        if (self.static is not None) != (self.type == "static"):
            raise ValueError("static is needed with type static, and only there")
        return self


class NewStoreFile(Strict):
    """A file to put into a vector store."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"file_id": f"file-{'0' * 32}", "attributes": {"year": 2026}}
    ]})  # fmt: skip

    file_id: FileText
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None

    def on_wire(self) -> files_pb2.Attachment:
        """The file as rag_service takes it."""
        cut = self.chunking_strategy.static if self.chunking_strategy else None
        return files_pb2.Attachment(
            file_id=parsed(FILE, self.file_id, "file_id"),
            metadata_json=orjson.dumps(self.attributes).decode() if self.attributes else "",
            chunk_tokens=cut.max_chunk_size_tokens if cut else 0,
            chunk_overlap=cut.chunk_overlap_tokens if cut else 0,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """Which part of a list, as OpenAI's parameters say it."""

    limit: Annotated[int, Query(ge=1, le=100, description="How many")] = 20
    after: Annotated[str, Query(max_length=64, description="The last id of the page before")] = ""
    before: Annotated[str, Query(max_length=64, description="The first id of the page after")] = ""
    order: Annotated[Literal["asc", "desc"], Query(description="By the time of making")] = "desc"

    def page(self, prefix: str, most: int = 100) -> files_pb2.IdPage:
        """On the wire; its ids begin so."""
        return files_pb2.IdPage(
            size=min(self.limit, most),
            after=parsed(prefix, self.after, "after") if self.after else "",
            before=parsed(prefix, self.before, "before") if self.before else "",
            ascending=self.order == "asc",
        )


def parsed(prefix: str, given: str, parameter: str = "") -> str:
    """The id of ours in one of OpenAI's form. What has not this form is nobody's id in a path; elsewhere the parameter
    is wrong.
    """
    found = given.removeprefix(prefix)
    if found != given and _HEX.fullmatch(found):
        return f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"
    if parameter:
        raise wrong(parameter, f"must be an id that begins with {prefix}")
    return NOBODYS


def named(prefix: str, own_id: str) -> str:
    """An id of ours in OpenAI's form."""
    return prefix + own_id.replace("-", "")


def seconds(stamp: Timestamp) -> int:
    """Unix time."""
    return int(stamp.seconds)


def listing(items: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """A page in OpenAI's shape."""
    ids = [item["id"] for item in items]
    return {
        "object": "list",
        "data": items,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": more,
    }


def counted(counts: files_pb2.DocumentCounts) -> dict[str, int]:
    """How many files are how far."""
    told = {
        "in_progress": counts.going_on,
        "completed": counts.ready,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
    }
    return told | {"total": sum(told.values())}


def store_file(row: pb.Document) -> dict[str, Any]:
    """A document as a vector store's file."""
    failed = row.status == pb.DOCUMENT_STATUS_FAILED
    static = {"max_chunk_size_tokens": row.chunk_tokens, "chunk_overlap_tokens": row.chunk_overlap}
    return {
        "id": named(FILE, row.file_id or row.id),
        "object": "vector_store.file",
        "created_at": seconds(row.create_time),
        "vector_store_id": named(STORE, row.collection_id),
        "status": STATUS_NAMES[row.status],
        "last_error": {"code": row.fault or "server_error", "message": row.error} if failed else None,
        "usage_bytes": row.bytes,
        "attributes": orjson.loads(row.metadata_json or "{}"),
        "chunking_strategy": {"type": "static", "static": static},
    }
