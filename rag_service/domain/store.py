"""Transactions."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rag_service.domain.answers import ReceiptQueries
from rag_service.domain.chunks import ChunkQueries
from rag_service.domain.collections import CollectionQueries
from rag_service.domain.conversations import ConversationQueries
from rag_service.domain.documents import DocumentQueries
from rag_service.domain.erasures import ErasureQueries
from rag_service.domain.files import AttachmentQueries, FileQueries
from rag_service.domain.jobs import JobQueries
from rag_service.domain.originals import OriginalQueries
from rag_service.domain.search import SearchQueries


class Repository(
    CollectionQueries,
    DocumentQueries,
    FileQueries,
    AttachmentQueries,
    ChunkQueries,
    OriginalQueries,
    ErasureQueries,
    JobQueries,
    SearchQueries,
    ReceiptQueries,
    ConversationQueries,
    Protocol,
):
    """Queries of one transaction of one tenant."""


class Store(Protocol):
    """Opens transactions."""

    def transaction(self, tenant_id: str, *, snapshot: bool = False) -> AbstractAsyncContextManager[Repository]:
        """Sees one tenant's rows; with `snapshot` all as they are at one moment."""
