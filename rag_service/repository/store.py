"""Transactions on the service's database, with all queries that can be made in one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.database import Database
from chassis.jobs import Jobs
from rag_service.repository.attachments import AttachmentRows
from rag_service.repository.collections import CollectionRows
from rag_service.repository.conversations import ConversationRows
from rag_service.repository.erasures import ErasureRows
from rag_service.repository.facets import FacetRows
from rag_service.repository.files import FileRows
from rag_service.repository.jobs import JobRows
from rag_service.repository.lexical import SearchRows
from rag_service.repository.originals import OriginalRows
from rag_service.repository.receipts import ReceiptRows
from rag_service.repository.staging import StagingRows


class PostgresRepository(
    CollectionRows,
    FileRows,
    AttachmentRows,
    StagingRows,
    OriginalRows,
    ErasureRows,
    JobRows,
    FacetRows,
    SearchRows,
    ReceiptRows,
    ConversationRows,
):
    """Queries of one transaction."""


class PostgresStore:
    """Opens transactions on the service's database."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    @asynccontextmanager
    async def transaction(self, tenant_id: str, *, snapshot: bool = False) -> AsyncIterator[PostgresRepository]:
        async with self._database.transaction(tenant_id, snapshot=snapshot) as connection:
            yield PostgresRepository(connection, self._jobs)
