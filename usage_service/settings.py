"""What the usage service can be told."""

from typing import Literal

from pydantic import Field

from chassis.settings import DatabaseSettings, Endpoint, OutboundSettings, RedisSettings, ServiceSettings


class UsageSection(Endpoint):
    """The service itself and its worker."""

    address: str = "127.0.0.1:50052"
    ops_port: int = 9002
    worker_ops_port: int = 9012
    batch: int = Field(default=500, ge=1, le=10_000)
    """Events moved to the ledger in one transaction."""
    poll_seconds: float = Field(default=5, gt=0, le=8)
    """How long the worker waits at the meter's streams at a time. What comes is read at once."""
    jobs_poll_seconds: float = Field(default=5, gt=0, le=60)
    gather_seconds: float = Field(default=0.25, ge=0, le=60)
    """Pause after a transaction that was not full, in which the next events gather."""
    sweep_seconds: float = Field(default=5, gt=0, le=60)
    kept_hours: int = Field(default=72, ge=1)
    """How long committed events stay in the streams: a restored ledger replays from them."""
    longest_span_days: int = Field(default=366, ge=1)
    unpriced: Literal["mark", "refuse"] = "mark"
    """Work of models that have no price: booked at no cost and marked, or refused."""
    price_seconds: float = Field(default=1, gt=0, le=60)
    """How often the worker looks whether a price begins to hold; whether there are others, every five seconds."""
    prove_seconds: float = Field(default=60, gt=0, le=86_400)
    """How often the worker proves that the books balance, and alarms where they do not."""
    proof_seconds: int = Field(default=30, ge=1, le=60)
    """How long it may take to compare the days that an operator asks for."""
    review_hours: float = Field(default=24, gt=0, le=8760)
    """How often a day of the ledger is read again."""
    review_share: float = Field(default=0.02, gt=0, le=1)
    """Of the time, that reading again may take. A ledger that is too large for it is read less often."""
    max_budgets: int = Field(default=100, ge=1, le=10_000)
    max_webhooks: int = Field(default=10, ge=1, le=1000)
    webhooks_at_once: int = Field(default=8, ge=1, le=256)
    webhook_attempts: int = Field(default=8, ge=1, le=20)
    webhook_pause_seconds: float = Field(default=5, gt=0, le=3600)
    """After the first failed attempt; each further pause is four times as long, at most 12 hours."""
    webhook_disable_after: int = Field(default=20, ge=1, le=1000)
    """Failed attempts on end, after which a webhook is disabled."""
    deliveries_kept_days: int = Field(default=30, ge=1, le=3650)


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    outbound: OutboundSettings = OutboundSettings()
    usage: UsageSection = UsageSection()
