"""What the language-model service can be told."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr

from chassis.settings import (
    MAX_PAYLOAD_BYTES,
    DatabaseSettings,
    Endpoint,
    OutboundSettings,
    RedisSettings,
    Section,
    ServiceSettings,
)


class Timeouts(Section):
    """Seconds allowed to each phase of a provider's call."""

    connect: float = Field(default=5, gt=0, le=60)
    first_byte: float = Field(default=120, gt=0, le=3600)
    between_bytes: float = Field(default=60, gt=0, le=3600)
    total: float = Field(default=600, gt=0, le=7200)


class LocalEngineSettings(Section):
    """The llama.cpp server that this service keeps running, where its model file is there."""

    enabled: bool = True
    threads: int = Field(default=2, ge=1, le=256)
    slots: int = Field(default=2, ge=1, le=64)
    """Answers written at once; more wait."""
    context_length: int = Field(default=4096, ge=256, le=131_072)
    queue: int = Field(default=64, ge=0, le=10_000)


class GuardrailSettings(Section):
    """Rules of tenants on what goes into models and comes out of them."""

    most: int = Field(default=20, ge=1, le=1000)
    """How many a tenant may have."""
    window: int = Field(default=120, ge=16, le=10_000)
    """Characters of a stream that are held back, so that what they begin can be seen whole."""
    seconds: float = Field(default=0.5, ge=0, le=60)
    """How long what was read of them holds."""


class ResponsesSettings(Section):
    """Responses that are stored, so that later ones can go on with them."""

    store: bool = True
    """Whether one is stored whose client does not say: OpenAI does."""
    retention_days: float = Field(default=30, gt=0, le=3650)
    max_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    """Of one request's input and its answer; a larger one is answered, and says that it is not stored."""
    max_chain_bytes: int = Field(default=12 * 1024 * 1024, ge=1024)
    """Of a conversation that is gone on with."""
    max_turns: int = Field(default=500, ge=1, le=10_000)
    sweep_seconds: float = Field(default=600, gt=0, le=86_400)
    """How often expired ones are removed."""


class AnswerCacheSettings(Section):
    """Answers that callers let be kept."""

    max_seconds: int = Field(default=86_400, ge=1, le=2_592_000)
    max_bytes: int = Field(default=1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    """Of one answer; a larger one is not kept."""


class LlmSection(Endpoint):
    """The service itself."""

    address: str = "127.0.0.1:50054"
    ops_port: int = 9004
    timeouts: Timeouts = Timeouts()
    attempts: int = Field(default=3, ge=1, le=10)
    breaker_failures: int = Field(default=5, ge=1, le=1000)
    breaker_pause_seconds: float = Field(default=15, gt=0, le=3600)
    concurrency: int = Field(default=256, ge=1, le=100_000)
    """Calls to one deployment at once, from this replica."""
    queue: int = Field(default=1024, ge=0, le=1_000_000)
    queue_seconds: float = Field(default=30, gt=0, le=3600)
    max_answer_bytes: int = Field(default=MAX_PAYLOAD_BYTES, ge=1024, le=MAX_PAYLOAD_BYTES)
    count_seconds: float = Field(default=3, gt=0, le=60)
    """Given to a provider that counts tokens, before they are estimated."""
    default_output_tokens: int = Field(default=4096, ge=1, le=1_000_000)
    """May be written where the client does not say, and the provider wants to be told."""
    catalogue_seconds: float = Field(default=5, gt=0, le=3600)
    """How often the catalogue is read again, beside whenever the database tells of a change."""
    guardrails: GuardrailSettings = GuardrailSettings()
    answer_cache: AnswerCacheSettings = AnswerCacheSettings()
    max_aliases: int = Field(default=200, ge=0, le=100_000)
    """Of models, that one tenant may have."""
    local: LocalEngineSettings = LocalEngineSettings()
    responses: ResponsesSettings = ResponsesSettings()


class Settings(ServiceSettings):
    """All of it. The providers' own names of variables work without the prefix."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    outbound: OutboundSettings = OutboundSettings()
    llm: LlmSection = LlmSection()
    models_dir: Path | None = None
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str = Field(default="https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL"))
    anthropic_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("ANTHROPIC_API_KEY"))
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com", validation_alias=AliasChoices("ANTHROPIC_BASE_URL")
    )
    """Without /v1, as its SDKs want it."""
    hf_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("HF_API_KEY"))
    hf_base_url: str = Field(default="https://router.huggingface.co/v1", validation_alias=AliasChoices("HF_BASE_URL"))

    @property
    def model_file(self) -> Path:
        """The local model."""
        return (self.models_dir or self.data_dir / "models") / "llm" / "smollm2-135m-instruct.gguf"
