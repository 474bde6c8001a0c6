"""Search on the wire."""

import json
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from rag_service.domain.search import Passage, SearchMode
from rag_service.domain.usage import Tally
from rag_service.policy import filters
from rag_service.service.search import Search
from rag_service.servicer.wire import tenant, usage

MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: SearchMode.HYBRID,
    pb.SEARCH_MODE_DENSE: SearchMode.DENSE,
    pb.SEARCH_MODE_LEXICAL: SearchMode.LEXICAL,
    pb.SEARCH_MODE_HYBRID: SearchMode.HYBRID,
}
DEFAULT_TOP_K = 5


class SearchServicer(RagServiceServicer):
    """Search."""

    _search: Search

    async def SearchPassages(self, request: pb.SearchPassagesRequest, _: Any) -> pb.SearchPassagesResponse:
        tally = Tally()
        passages = await self._search.find(
            tenant(),
            request.query,
            top_k=request.top_k or DEFAULT_TOP_K,
            collection=request.collection,
            wanted=filters.parse(request.filter_json),
            mode=MODES.get(request.mode, SearchMode.HYBRID),
            tally=tally,
        )
        return pb.SearchPassagesResponse(passages=[_passage(row) for row in passages], usage=usage(tally.lines))


def _passage(row: Passage) -> pb.Passage:
    return pb.Passage(
        document_id=row.document_id,
        chunk_id=row.chunk_id,
        title=row.title,
        text=row.text,
        score=row.score,
        page=row.page,
        start=row.start,
        end=row.end,
        metadata_json=json.dumps(dict(row.metadata)),
    )
