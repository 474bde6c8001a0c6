"""AnswerCache in the cache's Valkey, where anything may be evicted."""

from dataclasses import asdict
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.erasure import Erased
from llm_service.domain.cache import KeptAnswer
from llm_service.domain.calls import Ending, Tokens

log = structlog.get_logger()

PREFIX = "aisp:llm:answer:"
SCANNED = 1000


class ValkeyAnswerCache:
    """A head of JSON, a line's end, the body."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def get(self, tenant_id: str, name: str) -> KeptAnswer | None:
        try:
            found: Any = await self._client.get(_key(tenant_id, name))
        except (RedisError, OSError) as error:
            log.warning("the cache of answers was not read", why=type(error).__name__)
            return None
        return _read(found) if found else None

    async def put(self, tenant_id: str, name: str, answer: KeptAnswer, seconds: int) -> None:
        head = asdict(answer)
        body = head.pop("body")
        try:
            await self._client.set(_key(tenant_id, name), orjson.dumps(head) + b"\n" + body, ex=seconds)
        except (RedisError, OSError) as error:
            log.warning("an answer was not kept", why=type(error).__name__)

    async def erase(self, tenant_id: str, _deletion_id: str) -> Erased:
        """Forgets a tenant's answers."""
        gone = 0
        async for key in self._client.scan_iter(match=f"{PREFIX}{tenant_id}:*", count=SCANNED):
            gone += await self._client.unlink(key)
        return Erased({"cached_answers": gone})


def _key(tenant_id: str, name: str) -> str:
    if not tenant_id:
        message = "an answer is kept for a tenant"
        raise ValueError(message)
    return f"{PREFIX}{tenant_id}:{name}"


def _read(found: bytes) -> KeptAnswer:
    head, _, body = found.partition(b"\n")
    told = orjson.loads(head)
    ending = told.pop("ending")
    return KeptAnswer(body=body, ending=Ending(Tokens(**ending["tokens"]), ending["finish_reason"]), **told)
