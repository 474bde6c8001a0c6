"""What the gateway can be told."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from pydantic import Field, SecretStr

from chassis.settings import RedisSettings, Section, ServiceSettings


class Peer(Section):
    """Where a service is."""

    address: str


class JwtSettings(Section):
    """Access tokens, as the auth service signs them."""

    secret_key: SecretStr = SecretStr("")
    algorithm: Literal["HS256", "EdDSA"] = "HS256"
    """The only one that is accepted."""
    issuer: str = "aisp"
    audience: str = "aisp"
    leeway_seconds: float = Field(default=5, ge=0, le=60)


class EdgeSection(Section):
    """What a client's connection may be, before anything is known of who it is."""

    max_connections: int = Field(default=10_000, ge=1)
    max_connections_per_address: int = Field(default=2_000, ge=1)
    max_header_bytes: int = Field(default=64 * 1024, ge=1024)
    """Of the request line and all headers."""
    max_headers: int = Field(default=100, ge=8)
    header_seconds: float = Field(default=10, gt=0)
    """From a request's first byte to the end of its headers; a new connection may be silent for as long."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    body_idle_seconds: float = Field(default=30, gt=0)
    min_body_bytes_per_second: float = Field(default=500, gt=0)
    """On the average, after the first `body_idle_seconds`."""
    send_idle_seconds: float = Field(default=60, gt=0)
    """How long a client may leave its answer unread."""
    max_discarded_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    """Of a body that still comes after its answer."""
    hosts: tuple[str, ...] = ()
    """Names that Host may give, without port; none: any."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Whose X-Forwarded-For is believed."""


class GatewaySection(Section):
    """The gateway itself."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    ops_host: str = "127.0.0.1"
    ops_port: int = Field(default=9000, ge=0, le=65535)
    admin_port: int = Field(default=0, ge=0, le=65535)
    """A port of its own for /api/v1/admin, which is then on no other; 0: none."""
    admin_host: str = "127.0.0.1"
    drain_seconds: float = Field(default=8, ge=0, le=3600)
    max_management_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Of a body on the platform's own routes, uploads apart."""
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Of a JSON body."""
    max_document_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    max_audio_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    default_output_tokens: int = Field(default=512, ge=1)
    """Reserved for an answer that the client did not bound."""
    max_choices: int = Field(default=128, ge=1, le=1024)
    """Answers to one request (`n`, `best_of`), of each of its prompts."""
    checkpoint_seconds: float = Field(default=1, gt=0, le=60)
    """How often a stream without a bound tells the meter what it has used; so late it ends where a limit is reached."""
    drained_plans: tuple[str, ...] = ()
    """Plans whose streams are read on when their client leaves, up to the two bounds; others are cancelled at once."""
    drained_seconds: float = Field(default=30, gt=0, le=600)
    drained_tokens: int = Field(default=2048, ge=1)
    cache_priced_plans: tuple[str, ...] = ()
    """Plans for which an answer out of the cache has a price of its own, as model `response-cache:PLAN` of `cache`."""
    heartbeat_seconds: float = Field(default=15, gt=0, le=300)
    """A comment is sent on an event stream that was silent for so long."""
    attempts_per_minute: int = Field(default=600, ge=1)
    """Unauthenticated calls (log in, register, bad credentials) from one address."""
    cors_origins: tuple[str, ...] = ()


class IdentitySection(Section):
    """How long what the auth service said of a caller is believed, and how much of it is kept."""

    stale_seconds: float = Field(default=0.8, gt=0, le=10)
    """Without a heartbeat of the auth service for so long, every call is asked about."""
    cache_entries: int = Field(default=10_000, ge=1, le=1_000_000)
    """Verdicts on tokens and keys."""
    key_seconds: float = Field(default=60, gt=0, le=3600)
    """After which a key is looked up again even if nothing was heard of it."""
    erasure_seconds: float = Field(default=5, gt=0, le=3600)
    """How often each gateway looks for a deleted tenant whose data is to be removed."""
    lookup_seconds: float = Field(default=2, gt=0, le=10)
    """To wait for an answer about a token; without one it is good until it expires."""


class Settings(ServiceSettings):
    """All of it."""

    gateway: GatewaySection = GatewaySection()
    edge: EdgeSection = EdgeSection()
    jwt: JwtSettings = JwtSettings()
    identity: IdentitySection = IdentitySection()
    redis: RedisSettings = RedisSettings()
    auth: Peer = Peer(address="127.0.0.1:50051")
    usage: Peer = Peer(address="127.0.0.1:50052")
    rag: Peer = Peer(address="127.0.0.1:50053")
    llm: Peer = Peer(address="127.0.0.1:50054")
    embedding: Peer = Peer(address="127.0.0.1:50055")
    speech: Peer = Peer(address="127.0.0.1:50056")
