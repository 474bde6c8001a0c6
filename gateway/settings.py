"""What the gateway can be told."""

from typing import Literal

from pydantic import Field, SecretStr

from chassis.settings import RedisSettings, Section, ServiceSettings


class Peer(Section):
    """Where a service is."""

    address: str


class JwtSettings(Section):
    """Access tokens, as the auth service signs them."""

    secret_key: SecretStr = SecretStr("")
    algorithm: Literal["HS256"] = "HS256"
    issuer: str = "aisp"
    audience: str = "aisp"
    leeway_seconds: float = Field(default=5, ge=0, le=60)


class GatewaySection(Section):
    """The gateway itself."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    ops_host: str = "127.0.0.1"
    ops_port: int = Field(default=9000, ge=0, le=65535)
    drain_seconds: float = Field(default=8, ge=0, le=3600)
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Of a JSON body."""
    max_document_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    max_audio_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    default_output_tokens: int = Field(default=512, ge=1)
    """Reserved for an answer that the client did not bound."""
    heartbeat_seconds: float = Field(default=15, gt=0, le=300)
    """A comment is sent on an event stream that was silent for so long."""
    attempts_per_minute: int = Field(default=300, ge=1)
    """Unauthenticated calls (log in, register, bad credentials) from one address."""
    failures_per_minute: int = Field(default=10, ge=1)
    """Failed log-ins to one account."""
    cors_origins: tuple[str, ...] = ()


class Settings(ServiceSettings):
    """All of it."""

    gateway: GatewaySection = GatewaySection()
    jwt: JwtSettings = JwtSettings()
    redis: RedisSettings = RedisSettings()
    auth: Peer = Peer(address="127.0.0.1:50051")
    usage: Peer = Peer(address="127.0.0.1:50052")
    rag: Peer = Peer(address="127.0.0.1:50053")
    llm: Peer = Peer(address="127.0.0.1:50054")
    embedding: Peer = Peer(address="127.0.0.1:50055")
    speech: Peer = Peer(address="127.0.0.1:50056")
