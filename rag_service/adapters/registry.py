"""The vector stores that a setting can name."""

from typing import Any

from chassis.registry import Registry

VECTOR_STORES: Registry[Any] = Registry(
    "vector store",
    {
        "pgvector": "rag_service.repository.pgvector:PgVectorStore",
        "arrays": "rag_service.repository.vectors:ArrayVectorStore",
        "qdrant": "rag_service.adapters.qdrant:connect",
        "weaviate": "rag_service.adapters.weaviate:connect",
        "pinecone": "rag_service.adapters.pinecone:connect",
    },
)
