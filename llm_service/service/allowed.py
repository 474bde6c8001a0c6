"""A wrapper of LanguageModel: keeps a deployment within its own limits, and lets one rest that asked for it."""

import asyncio
from typing import TypeVar

from llm_service.domain.allowances import Allowances, Pauses
from llm_service.domain.calls import Answer, Call, Ending, LanguageModel
from llm_service.domain.errors import DeploymentBusy
from llm_service.domain.models import Deployment, DeploymentLimits
from llm_service.policy.tokens import estimate_tokens
from llm_service.service.resilience import Attempt, Wrapper

T = TypeVar("T")

NO_LIMITS = DeploymentLimits()
SHORT_SECONDS = 0.25
"""A pause that is as good as over: whoever waited for it is not sent away again."""


class Allowed(Wrapper):
    """Where another deployment can take over nobody waits; else a call waits for its share, for `wait_seconds`."""

    def __init__(self, inner: LanguageModel, allowances: Allowances, pauses: Pauses, wait_seconds: float) -> None:
        super().__init__(inner)
        self._allowances = allowances
        self._pauses = pauses
        self._wait_seconds = wait_seconds

    async def around(self, attempt: Attempt[T]) -> T:
        deployment, call = attempt.deployment, attempt.call
        ticket = await self._admitted(deployment, call)
        if not ticket:
            return await attempt.make()
        # A stream that breaks off has used what it asked with, at least.
        used = estimate_tokens(len(call.body)) if attempt.streams else 0
        try:
            answer = await attempt.make()
            used = _used(answer)
            return answer
        finally:
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
        await call.admitted()
        clock = asyncio.get_running_loop().time
        end = clock() + self._wait_seconds
        while True:
            allowance = await self._allowances.take(deployment, estimate_tokens(len(call.body)))
            if not allowance.wait:
                return allowance.ticket
            if call.tally.alternatives or clock() + allowance.wait > end:
                raise DeploymentBusy(retry_after=allowance.wait)
            await asyncio.sleep(allowance.wait)


def _used(answer: object) -> int:
    ending = answer.ending if isinstance(answer, Answer) else answer
    assert isinstance(ending, Ending)
    return ending.tokens.input + ending.tokens.output
