"""The vector stores that a setting can name."""

from typing import Any

from chassis.registry import Registry

VECTOR_STORES: Registry[Any] = Registry(
    "vector store",
    {
        "pgvector": "rag_service.repository.pgvector:PgVectorStore",
        "arrays": "rag_service.repository.pgvector:ArrayVectorStore",
    },
)
