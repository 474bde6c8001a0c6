"""VectorCache on Valkey or Redis. A cache that is away costs time, never an answer."""

from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from embedding_service.domain import CacheUnavailable

log = structlog.get_logger()


class ValkeyCache:
    """A hash for each text, so that it goes whole: vectors by their length, each behind four bytes of token count."""

    def __init__(self, client: Redis, seconds: int) -> None:
        """`client` answers bytes; `seconds` 0 turns the cache off."""
        self._client = client
        self._seconds = seconds

    async def get(self, keys: Sequence[str], dimensions: int) -> list[tuple[int, bytes] | None]:
        if not self._seconds:
            return [None] * len(keys)
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hget(key, str(dimensions))
                values: Any = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("the vector cache does not answer", error=repr(error))
            return [None] * len(keys)
        return [(int.from_bytes(value[:4], "little"), value[4:]) if value else None for value in values]

    async def put(self, entries: Sequence[tuple[str, int, bytes]], dimensions: int) -> None:
        if not self._seconds:
            return
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for key, tokens, vector in entries:
                    pipeline.hset(key, str(dimensions), tokens.to_bytes(4, "little") + vector)
                    pipeline.expire(key, self._seconds)
                await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("the vector cache does not answer", error=repr(error))

    async def forget(self, keys: Sequence[str]) -> int:
        try:
            return int(await self._client.unlink(*keys)) if keys else 0
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailable from error
