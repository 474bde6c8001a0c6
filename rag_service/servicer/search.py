"""Search on the wire."""

import json
from typing import Any

from aisp.rag.v1 import rag_service_pb2 as pb
from aisp.rag.v1.rag_service_pb2_grpc import RagServiceServicer

from chassis import idempotency
from chassis.flow import admission
from rag_service.domain.evaluation import JudgedQuery
from rag_service.domain.search import Passage, SearchMode, Seeking
from rag_service.domain.usage import Tally
from rag_service.policy import attributes, filters
from rag_service.service.evaluation import Evaluations
from rag_service.service.file_search import DEFAULT_RESULTS, FileSearch, SeekingFiles
from rag_service.service.search import Search
from rag_service.servicer.wire import MODE_NUMBERS, MODES, scores, tenant, usage

COMPARED = (SearchMode.HYBRID, SearchMode.DENSE, SearchMode.LEXICAL)
DEFAULT_TOP_K = 5


class SearchServicer(RagServiceServicer):
    """Search, and how well it finds."""

    _search: Search
    _file_search: FileSearch
    _evaluations: Evaluations

    async def SearchPassages(self, request: pb.SearchPassagesRequest, context: Any) -> pb.SearchPassagesResponse:
        tally = Tally()
        seeking = Seeking(
            query=request.query,
            top_k=request.top_k or DEFAULT_TOP_K,
            collection=request.collection,
            filter=filters.parse(request.filter_json),
            mode=MODES.get(request.mode),
            score_threshold=request.score_threshold,
            diversity=request.diversity,
            by_document=request.by_document,
            rewrite=request.rewrite,
            rerank=request.rerank,
        )
        found = await self._search.find(tenant(), seeking, tally, admission(context))
        idempotency.about(row.document_id for row in found.passages)
        return pb.SearchPassagesResponse(
            passages=[_passage(row) for row in found.passages],
            usage=usage(tally.lines),
            query=found.query,
            mode=MODE_NUMBERS[found.mode],
        )

    async def SearchFiles(self, request: pb.SearchFilesRequest, _: Any) -> pb.SearchFilesResponse:
        tally = Tally()
        seeking = SeekingFiles(
            collection_ids=request.collection_ids,
            queries=request.queries,
            top_k=request.top_k or DEFAULT_RESULTS,
            filter=attributes.parse(request.filter_json),
            score_threshold=request.score_threshold,
            ranker=request.ranker,
            rewrite=request.rewrite,
        )
        found = await self._file_search.find(tenant(), seeking, tally)
        idempotency.about(row.document_id for row in found.passages)
        return pb.SearchFilesResponse(
            passages=[_passage(row) for row in found.passages], usage=usage(tally.lines), queries=found.queries
        )

    async def EvaluateSearch(self, request: pb.EvaluateSearchRequest, _: Any) -> pb.EvaluateSearchResponse:
        tally = Tally()
        queries = [JudgedQuery(item.query, item.document_ids) for item in request.queries]
        modes = [MODES[mode] for mode in request.modes if mode in MODES] or COMPARED
        found = await self._evaluations.run(tenant(), request.collection, queries, modes, tally, apply=request.apply)
        return pb.EvaluateSearchResponse(
            modes=[
                pb.ModeQuality(
                    mode=MODE_NUMBERS[mode], ndcg_at_10=row.ndcg_at_10, recall_at_100=row.recall_at_100, mrr=row.mrr
                )
                for mode, row in found.modes
            ],
            usage=usage(tally.lines),
            vector_store=found.vector_store,
            embedding_model=found.embedding_model,
            default_mode=MODE_NUMBERS[found.default_mode],
        )


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
        scores=scores(row.scores),
        file_id=row.file_id,
        file_name=row.file_name,
        heading=row.heading,
    )
