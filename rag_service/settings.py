"""What the retrieval service can be told."""

from pydantic import Field

from chassis.settings import DatabaseSettings, Endpoint, RedisSettings, Section, ServiceSettings


class Peer(Section):
    """Where another service is."""

    address: str


class RagSection(Endpoint):
    """The service itself and its worker."""

    address: str = "127.0.0.1:50053"
    ops_port: int = 9003
    worker_ops_port: int = 9013
    objects: str = ""
    """Where originals and texts are: a URL (s3://, gs://, az://, file://); empty means below the data directory."""
    vector_store: str = ""
    """Where vectors are: pgvector, or arrays where PostgreSQL lacks that extension; empty means by what there is."""
    embedding_model: str = "local/all-minilm-l6-v2"
    answer_model: str = "local/smollm2-135m-instruct"
    max_document_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    max_text_characters: int = Field(default=20_000_000, ge=1)
    max_chunks: int = Field(default=50_000, ge=1)
    max_metadata_bytes: int = Field(default=16 * 1024, ge=2)
    max_query_characters: int = Field(default=4000, ge=1)
    max_evaluated_queries: int = Field(default=1000, ge=1)
    extraction_seconds: float = Field(default=120, gt=0, le=3600)
    extraction_megabytes: int = Field(default=2048, ge=128)
    """Memory that the process which extracts a document may use."""
    embedding_batch: int = Field(default=64, ge=1, le=2048)
    jobs_at_once: int = Field(default=2, ge=1, le=64)
    poll_seconds: float = Field(default=0.25, gt=0, le=60)
    answer_tokens: int = Field(default=160, ge=16, le=8192)
    """Tokens that an answer may have."""
    context_tokens: int = Field(default=2400, ge=256)
    """Tokens of passages and conversation that are given to the model."""


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    rag: RagSection = RagSection()
    embedding: Peer = Peer(address="127.0.0.1:50055")
    llm: Peer = Peer(address="127.0.0.1:50054")
    usage: Peer = Peer(address="127.0.0.1:50052")
