"""What the embedding service can be told."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from chassis.settings import MAX_PAYLOAD_BYTES, Endpoint, RedisSettings, ServiceSettings


class EmbeddingSection(Endpoint):
    """The service itself."""

    address: str = "127.0.0.1:50055"
    ops_port: int = 9005
    threads: int = Field(default=2, ge=1, le=256)
    """Cores that the local model uses."""
    batch_tokens: int = Field(default=2048, ge=64)
    """Padded tokens that the local model reads at once: more take more memory (1.5 GB for 8192), and longer."""
    max_inputs: int = Field(default=2048, ge=1, le=100_000)
    max_input_tokens: int = Field(default=512, ge=1, le=512)
    max_call_tokens: int = Field(default=300_000, ge=1)
    queue_seconds: float = Field(default=30, gt=0, le=3600)
    """A call to the local model that others would keep waiting for longer is refused (429)."""
    cache_seconds: int = Field(default=7 * 24 * 3600, ge=0)
    """How long vectors stay in the cache; 0 turns it off."""
    rerank_url: str = ""
    """Where reranking models are (without /rerank); their names are rerank/NAME. Empty: only local ones."""
    rerank_key: SecretStr = SecretStr("")
    rerank_wire: Literal["cohere", "tei"] = "cohere"
    timeout_seconds: float = Field(default=60, gt=0, le=600)
    attempts: int = Field(default=3, ge=1, le=10)
    max_answer_bytes: int = Field(default=MAX_PAYLOAD_BYTES, ge=1024, le=MAX_PAYLOAD_BYTES)
    """Of a provider's."""


class Settings(ServiceSettings):
    """All of it. The providers' own names of variables work without the prefix."""

    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    embedding: EmbeddingSection = EmbeddingSection()
    models_dir: Path | None = None
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str = Field(default="https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL"))
    hf_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("HF_API_KEY"))
    hf_base_url: str = Field(default="https://router.huggingface.co/v1", validation_alias=AliasChoices("HF_BASE_URL"))

    @property
    def models_directory(self) -> Path:
        """Where the local model is."""
        return (self.models_dir or self.data_dir / "models") / "embedding"
