"""What every part of the servicer translates."""

from datetime import datetime
from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.rag.v1 import files_pb2
from aisp.rag.v1 import rag_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import context
from chassis.errors import Unauthenticated
from rag_service.domain.documents import Counts
from rag_service.domain.search import Scores, SearchMode

MODES = {
    pb.SEARCH_MODE_DENSE: SearchMode.DENSE,
    pb.SEARCH_MODE_LEXICAL: SearchMode.LEXICAL,
    pb.SEARCH_MODE_HYBRID: SearchMode.HYBRID,
}
MODE_NUMBERS = {mode: number for number, mode in MODES.items()}


def tenant() -> str:
    """The caller's. Unauthenticated."""
    tenant_id = context.current().tenant_id
    if not tenant_id:
        raise Unauthenticated
    return tenant_id


def usage(lines: Any) -> usage_pb2.Usage:
    """Lines on the wire."""
    rows = [
        usage_pb2.UsageLine(
            service=line.service,
            model=line.model,
            provider=line.provider,
            unit=line.unit,
            amount=line.amount,
            attempt=line.attempt,
            estimated=line.estimated,
        )
        for line in lines
    ]
    return usage_pb2.Usage(lines=rows)


def time_of(at: datetime) -> Timestamp:
    """On the wire."""
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def scores(told: Scores) -> pb.StageScores:
    """Those that there are."""
    return pb.StageScores(dense=told.dense, lexical=told.lexical, fused=told.fused, reranked=told.reranked)


def counts(told: Counts) -> files_pb2.DocumentCounts:
    """On the wire."""
    return files_pb2.DocumentCounts(
        going_on=told.going_on, ready=told.ready, failed=told.failed, cancelled=told.cancelled
    )
