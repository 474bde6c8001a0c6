"""Clients of a Valkey or Redis. The gateway's hot path has a leaner one of its own (`gateway/limits/resp.py`)."""

from redis.asyncio import Redis

from chassis.settings import RedisSettings


def connect(at: RedisSettings, *, connect_seconds: float, reply_seconds: float | None) -> Redis:
    """A client that connects when it is used. `reply_seconds`: None waits for ever, as blocking reads do."""
    return Redis(
        host=at.host,
        port=at.port,
        unix_socket_path=at.socket or None,
        password=at.password.get_secret_value() or None,
        socket_connect_timeout=connect_seconds,
        socket_timeout=reply_seconds,
    )
