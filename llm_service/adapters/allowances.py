"""Deployments' limits in the cache's store, shared by all replicas; and the pauses that one of them was told of.

While the store is away nobody is held back: a provider still says by itself what it does not take.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import Counter
from redis.exceptions import RedisError

from chassis.told import retry_after
from llm_service.domain.allowances import Allowance
from llm_service.domain.models import Deployment
from llm_service.policy.allowances import pause_of

log = structlog.get_logger()

UNCOUNTED = Counter("aisp_llm_allowances_uncounted_total", "Calls whose share of a limit was not counted: store away")
PAUSED = Counter("aisp_llm_pauses_total", "Times that a provider's headers asked for a pause", ["provider"])
AWAY_SECONDS = 1.0
PLACE_MS = 15 * 60 * 1000
"""After which a place is free again whose replica died; no call is longer than the total allowed to it."""
CHANNEL = "aisp:llm:pauses"
MOST_PAUSES = 1000

# A minute has 12 buckets of five seconds; 13 are counted, so that in any 60 seconds there is no more than the limit.
TAKE = """
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local bucket = math.floor(ms / 5000)
local requests, tokens, oldest = 0, 0, bucket
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  local kind, number = kept[i]:sub(1, 1), tonumber(kept[i]:sub(2))
  if number <= bucket - 13 then redis.call('HDEL', KEYS[1], kept[i])
  else
    oldest = math.min(oldest, number)
    if kind == 'r' then requests = requests + kept[i + 1] else tokens = tokens + kept[i + 1] end
  end
end
local most_requests, most_tokens, most_places = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local asked = tonumber(ARGV[4])
local wait = (oldest + 13) * 5000 - ms
if most_requests > 0 and requests + 1 > most_requests then return {wait, bucket} end
-- What alone is more than a minute's tokens goes when nothing else did: whether it may is the provider's to say.
if most_tokens > 0 and tokens > 0 and tokens + asked > most_tokens then return {wait, bucket} end
if most_places > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, ms)
  if redis.call('ZCARD', KEYS[2]) >= most_places then return {100, bucket} end
  redis.call('ZADD', KEYS[2], ms + tonumber(ARGV[6]), ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
redis.call('HINCRBY', KEYS[1], 'r' .. bucket, 1)
redis.call('HINCRBY', KEYS[1], 't' .. bucket, asked)
redis.call('PEXPIRE', KEYS[1], 70000)
return {0, bucket}
"""
SETTLE = """
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HEXISTS', KEYS[1], 't' .. ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], 't' .. ARGV[2], ARGV[3]) end
return 1
"""


class ValkeyAllowances:
    """`client`: a redis.asyncio.Redis with short timeouts."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = client.register_script(TAKE)
        self._settle = client.register_script(SETTLE)
        self._clock = clock
        self._away_until = 0.0

    async def take(self, deployment: Deployment, tokens: int) -> Allowance:
        limits, name = deployment.limits, uuid4().hex
        arguments = (limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_requests, tokens, name)
        answer = await self._told(self._take, deployment, *arguments, PLACE_MS)
        if answer is None:
            return Allowance()
        wait, bucket = answer
        return Allowance(f"{name}:{bucket}:{tokens}", max(0, int(wait)) / 1000)

    async def settle(self, deployment: Deployment, ticket: str, tokens: int) -> None:
        if ticket:
            name, bucket, taken = ticket.split(":")
            await self._told(self._settle, deployment, name, bucket, tokens - int(taken))

    async def _told(self, script: Any, deployment: Deployment, *arguments: object) -> Any:
        """What the script says; None while the store is away."""
        if self._clock() < self._away_until:
            UNCOUNTED.inc()
            return None
        tag = f"aisp:llm:{{{deployment.key}}}"
        try:
            return await script(keys=[f"{tag}:minute", f"{tag}:places"], args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = self._clock() + AWAY_SECONDS
            UNCOUNTED.inc()
            log.warning("a deployment's limits are not counted: the cache store is away", error=type(error).__name__)
            return None


class SharedPauses:
    """Hears each answer's headers. What one replica hears, all do; run `run()` beside it."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._until: dict[str, float] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def left(self, deployment: Deployment) -> float:
        until = self._until.get(deployment.key) if self._until else None
        return max(0.0, until - self._clock()) if until else 0.0

    def heard(self, deployment: Deployment, status: int, headers: Mapping[str, str]) -> None:
        """An adapter's `Heard`."""
        seconds = (retry_after(headers) or 0.0) if status == 429 else pause_of(headers, time.time())
        if seconds <= 0:
            return
        PAUSED.labels(deployment.provider).inc()
        self._keep(deployment.key, seconds)
        task = asyncio.get_running_loop().create_task(self._tell(deployment.key, seconds))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def run(self) -> None:
        """Listens to the other replicas, until cancelled."""
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "message":
                            told = json.loads(message["data"])
                            self._keep(str(told["deployment"]), float(told["seconds"]))
            except (RedisError, OSError, ValueError, KeyError) as error:
                log.warning("pauses of other replicas are not heard", error=type(error).__name__)
            await asyncio.sleep(AWAY_SECONDS)

    def _keep(self, key: str, seconds: float) -> None:
        now = self._clock()
        if len(self._until) >= MOST_PAUSES:
            self._until = {known: until for known, until in self._until.items() if until > now}
        if len(self._until) < MOST_PAUSES:
            self._until[key] = now + seconds

    async def _tell(self, key: str, seconds: float) -> None:
        try:
            await self._client.publish(CHANNEL, json.dumps({"deployment": key, "seconds": seconds}))
        except (RedisError, OSError) as error:
            log.warning("a pause was not told to other replicas", error=type(error).__name__)
