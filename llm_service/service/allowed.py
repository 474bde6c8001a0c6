"""A wrapper of LanguageModel: keeps a deployment within its own limits, and lets one rest that asked for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from llm_service.domain.allowances import Allowances, Pauses
from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel
from llm_service.domain.errors import DeploymentBusy
from llm_service.domain.models import Deployment, DeploymentLimits, Health
from llm_service.policy.tokens import estimate_tokens

NO_LIMITS = DeploymentLimits()
SHORT_SECONDS = 0.25
"""A pause that is as good as over: whoever waited for it is not sent away again."""


class Allowed:
    """Where another deployment can take over nobody waits; else a call waits for its share, for `wait_seconds`."""

    def __init__(self, inner: LanguageModel, allowances: Allowances, pauses: Pauses, wait_seconds: float) -> None:
        self._inner = inner
        self._allowances = allowances
        self._pauses = pauses
        self._wait_seconds = wait_seconds

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        ticket = await self._admitted(deployment, call)
        if not ticket:
            return await self._inner.complete(deployment, call)
        used = 0
        try:
            answer = await self._inner.complete(deployment, call)
            used = answer.ending.tokens.input + answer.ending.tokens.output
            return answer
        finally:
            await self._allowances.settle(deployment, ticket, used)

    async def stream(self, deployment: Deployment, call: Call) -> AsyncGenerator[bytes | Ending, None]:
        ticket = await self._admitted(deployment, call)
        # A stream that breaks off has used what it asked with, at least.
        used = estimate_tokens(len(call.body))
        try:
            async with aclosing(self._inner.stream(deployment, call)) as events:
                async for event in events:
                    if isinstance(event, Ending):
                        used = event.tokens.input + event.tokens.output
                    yield event
        finally:
            if ticket:
                await self._allowances.settle(deployment, ticket, used)

    async def _admitted(self, deployment: Deployment, call: Call) -> str:
        """The ticket; empty for a deployment without limits. DeploymentBusy."""
        left = self._pauses.left(deployment)
        if left > SHORT_SECONDS:
            raise DeploymentBusy(retry_after=left)
        if left:
            await asyncio.sleep(left)
        if deployment.limits == NO_LIMITS:
            return ""
        clock = asyncio.get_running_loop().time
        end = clock() + self._wait_seconds
        while True:
            allowance = await self._allowances.take(deployment, estimate_tokens(len(call.body)))
            if not allowance.wait:
                return allowance.ticket
            if call.tally.alternatives or clock() + allowance.wait > end:
                raise DeploymentBusy(retry_after=allowance.wait)
            await asyncio.sleep(allowance.wait)
