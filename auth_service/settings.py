"""What the auth service can be told."""

from typing import Literal

from pydantic import Field, SecretStr

from chassis.settings import DatabaseSettings, Endpoint, OutboundSettings, RedisSettings, Section, ServiceSettings


class JwtSettings(Section):
    """Access tokens. The gateway verifies with the same section."""

    secret_key: SecretStr = SecretStr("")
    algorithm: Literal["HS256"] = "HS256"
    issuer: str = "aisp"
    audience: str = "aisp"
    access_seconds: int = Field(default=900, ge=60, le=86_400)


class AuthSection(Endpoint):
    """The service itself."""

    address: str = "127.0.0.1:50051"
    ops_port: int = 9001
    refresh_days: int = Field(default=30, ge=1, le=365)
    refresh_grace_seconds: int = Field(default=30, ge=0, le=300)
    password_workers: int = Field(default=2, ge=1, le=64)
    """Passwords hashed at once: each takes 64 MB and a core for 200 ms."""
    password_queue: int = Field(default=32, ge=0, le=10_000)
    heartbeat_seconds: float = Field(default=0.25, gt=0, le=10)
    changes_kept_seconds: int = Field(default=3600, ge=60)


class AuditSettings(Section):
    """The audit log."""

    max_detail_bytes: int = Field(default=16_384, ge=256, le=1_048_576)
    """Of what a row tells of before, and of after; more is left out, and the row says so."""


class OperatorSettings(Section):
    """The password that `python -m auth_service operator` sets."""

    password: SecretStr = SecretStr("")


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    jwt: JwtSettings = JwtSettings()
    auth: AuthSection = AuthSection()
    operator: OperatorSettings = OperatorSettings()
    audit: AuditSettings = AuditSettings()
    outbound: OutboundSettings = OutboundSettings()
