"""What the retrieval service can be told."""

from pydantic import Field, SecretStr

from chassis.settings import DatabaseSettings, Endpoint, RedisSettings, Section, ServiceSettings


class Peer(Section):
    """Where another service is."""

    address: str


class QdrantSection(Section):
    """Qdrant, when it has an address."""

    url: str = ""
    key: SecretStr = SecretStr("")


class WeaviateSection(Section):
    """Weaviate, when it has an address. It has two: REST (a URL), and gRPC (host:port)."""

    url: str = ""
    grpc_address: str = ""
    key: SecretStr = SecretStr("")


class PineconeSection(Section):
    """Pinecone, when it has a key."""

    key: SecretStr = SecretStr("")
    host: str = ""
    cloud: str = "aws"
    region: str = "us-east-1"
    lag_seconds: float = Field(default=60, gt=0, le=3600)
    """How long a write may stay unseen by searches before it counts as failed."""


class RagSection(Endpoint):
    """The service itself and its worker."""

    address: str = "127.0.0.1:50053"
    ops_port: int = 9003
    worker_ops_port: int = 9013
    objects: str = ""
    """Where originals and texts are: a URL (s3://, gs://, az://, file://); empty means below the data directory."""
    object_options: dict[str, SecretStr] = Field(default_factory=dict)
    """What that store wants to know beside: endpoint, region, access_key_id, secret_access_key, account_key, ..."""
    vector_store: str = ""
    """Where vectors of new collections are: pgvector, arrays (PostgreSQL without that extension), qdrant, weaviate,
    pinecone; empty means the service's own PostgreSQL."""
    exact_vectors: int = Field(default=5000, ge=1, le=1_000_000)
    """Vectors of a collection up to which pgvector looks at each; above, the collection gets an index (HNSW)."""
    vector_prefix: str = Field(default="aisp", pattern=r"^[a-z][a-z0-9]{0,30}$")
    """Begins the names of what is made in a vector store that others use, too."""
    vector_seconds: float = Field(default=30, gt=0, le=600)
    qdrant: QdrantSection = QdrantSection()
    weaviate: WeaviateSection = WeaviateSection()
    pinecone: PineconeSection = PineconeSection()
    embedding_model: str = "local/all-minilm-l6-v2"
    answer_model: str = "local/smollm2-135m-instruct"
    max_document_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    max_text_characters: int = Field(default=20_000_000, ge=1)
    max_chunks: int = Field(default=50_000, ge=1)
    max_metadata_bytes: int = Field(default=16 * 1024, ge=2)
    max_query_characters: int = Field(default=4000, ge=1)
    max_top_k: int = Field(default=100, ge=1, le=1000)
    """Passages that a search may ask for."""
    candidates: int = Field(default=200, ge=10, le=1000)
    """Passages that each arm of a hybrid search contributes at least, and that diversity and documents choose from."""
    rerank_model: str = "local/all-minilm-l6-v2"
    """What `rerank: true` means; empty: nothing."""
    rerank_candidates: int = Field(default=50, ge=1, le=1000)
    """Passages that a reranking model orders anew."""
    rewrite_model: str = ""
    """A language model that writes queries anew and condenses conversations; empty: none, conversations by rule."""
    rewrite_tokens: int = Field(default=64, ge=8, le=1024)
    max_evaluated_queries: int = Field(default=1000, ge=1)
    extraction_seconds: float = Field(default=120, gt=0, le=3600)
    extraction_megabytes: int = Field(default=2048, ge=256)
    """Memory that the process which extracts a document may use."""
    extraction_text_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """Bytes of text that may come out of one document."""
    extraction_processes: int = Field(default=3, ge=1, le=64)
    """Documents that a worker extracts at once; a tenant has all of the places but one at most."""
    embedding_batch: int = Field(default=64, ge=2, le=2048)
    """Chunks that are embedded in one call; and of one document at once, so many are embedded twice after a crash."""
    embedding_calls: int = Field(default=3, ge=1, le=64)
    """Embedding calls of a worker at once; tenants take turns."""
    jobs_at_once: int = Field(default=8, ge=1, le=256)
    """Documents that a worker ingests at once; a tenant has half of the places at most."""
    upkeep_at_once: int = Field(default=4, ge=1, le=64)
    """Deletions, notifications and the like that a worker does at once."""
    jobs_poll_seconds: float = Field(default=5, gt=0, le=60)
    """How often a worker looks for work that it was not told of."""
    watch_seconds: float = Field(default=0.25, gt=0, le=60)
    """How often a worker looks whether what it does is still wanted."""
    longest_wait_days: float = Field(default=7, gt=0, le=28)
    """So long an ingestion waits for a limit of its tenant without going on; then it fails, and says why."""
    job_lease_seconds: float = Field(default=30, ge=1, le=600)
    """So long after a worker died another one goes on with its work."""
    erasure_wait_seconds: float = Field(default=10, ge=0, le=60)
    """So long a deletion of one document is waited for before it is answered; it goes on in any case."""
    erasure_probes: int = Field(default=64, ge=1, le=1000)
    """Deleted vectors of a document with which it is looked for afterwards."""
    answer_tokens: int = Field(default=160, ge=16, le=8192)
    """Tokens that an answer may have."""
    answer_candidates: int = Field(default=20, ge=1, le=100)
    """Passages that are read for an answer; the best `top_k` of them are shown to the model."""
    context_tokens: int = Field(default=2400, ge=256)
    """Tokens of passages and conversation that a model is given whose window is not known."""
    max_context_tokens: int = Field(default=12_000, ge=256)
    """The same at most, however long the model's window is."""
    receipt_days: int = Field(default=30, ge=0, le=3650)
    """How long receipts of answers are kept; 0: none are."""
    max_conversations: int = Field(default=10_000, ge=1)
    """Conversations that a tenant may keep."""
    max_conversation_messages: int = Field(default=200, ge=2, le=10_000)
    """Messages of a conversation that are kept; the oldest fall out."""


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    rag: RagSection = RagSection()
    embedding: Peer = Peer(address="127.0.0.1:50055")
    llm: Peer = Peer(address="127.0.0.1:50054")
    usage: Peer = Peer(address="127.0.0.1:50052")
