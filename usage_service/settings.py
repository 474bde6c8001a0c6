"""What the usage service can be told."""

from pydantic import Field

from chassis.settings import DatabaseSettings, Endpoint, RedisSettings, ServiceSettings


class UsageSection(Endpoint):
    """The service itself and its worker."""

    address: str = "127.0.0.1:50052"
    ops_port: int = 9002
    worker_ops_port: int = 9012
    batch: int = Field(default=500, ge=1, le=10_000)
    """Events moved to the ledger in one transaction."""
    poll_seconds: float = Field(default=0.5, gt=0, le=60)
    gather_seconds: float = Field(default=0.25, ge=0, le=60)
    """Pause after a transaction that was not full, in which the next events gather."""
    sweep_seconds: float = Field(default=2, gt=0, le=60)
    kept_hours: int = Field(default=72, ge=1)
    """How long committed events stay in the streams: a restored ledger replays from them."""
    longest_span_days: int = Field(default=366, ge=1)


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    usage: UsageSection = UsageSection()
