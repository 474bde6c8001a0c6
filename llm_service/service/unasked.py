"""A wrapper of LanguageModel for servers that imitate OpenAI and refuse `stream_options`, which we add to every stream.

A stream that works without us works through us: what is refused for the sake of what only we asked is asked once more
without it, and that deployment is not asked for it again for a while. What its streams use is estimated then. A client
that asks itself is refused as it would be directly.
"""

from dataclasses import replace

import orjson
import structlog

from llm_service.domain.calls import Call, Ending, Format, LanguageModel, Out
from llm_service.domain.errors import ProviderRefused
from llm_service.domain.models import Deployment, Health
from llm_service.service.learned import Learned

log = structlog.get_logger()

FACT = "refuses stream_options"
STATUSES = ("400", "422")
NAMES = ("stream_options", "include_usage")


class Unasked:
    """Around the wire; whole answers pass by."""

    def __init__(self, inner: LanguageModel, learned: Learned) -> None:
        self._inner = inner
        self._learned = learned
        self.complete = inner.complete

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        if deployment.without_stream_options or self._learned.knows(FACT, deployment):
            return await self._inner.stream(deployment, replace(call, asks_usage=False), out)
        try:
            return await self._inner.stream(deployment, call, out)
        except ProviderRefused as error:
            if out.started or not _names_them(error) or "stream_options" in orjson.loads(call.body):
                raise
        ending = await self._inner.stream(deployment, replace(call, asks_usage=False), out)
        log.info("a deployment refuses stream_options: its streams are estimated", deployment=deployment.key)
        self._learned.learn(FACT, deployment)
        return ending

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


def _names_them(error: ProviderRefused) -> bool:
    told = f"{error.message} {error.metadata.get('param', '')}"
    return error.metadata.get("provider_status") in STATUSES and any(name in told for name in NAMES)
