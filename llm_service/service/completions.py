"""Completions: tries the deployments of a model in their order; a stream only until its first event."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace

import structlog

from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, LanguageModel, Served
from llm_service.domain.errors import ProviderNotConfigured
from llm_service.domain.models import Deployment
from llm_service.policy.failures import falls_back, most_telling
from llm_service.service.measures import FALLBACKS
from llm_service.service.router import Route, Router

log = structlog.get_logger()


class Completions:
    """Routes calls to providers. A losing attempt is the platform's cost: only what answered is reported."""

    def __init__(self, router: Router, providers: Mapping[str, LanguageModel]) -> None:
        self._router = router
        self._providers = providers

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """The answer. ModelNotFound, ModelNotAllowed, or the most telling of the deployments' failures."""
        route = await self._router.route(call)
        if route.max_output_tokens:
            call = replace(call, max_output_tokens=route.max_output_tokens)
        failures: list[PlatformError] = []
        for deployment, last in _with_last(route):
            call.tally.alternatives = not last
            try:
                answer = await self._provider(deployment).complete(deployment, call)
            except PlatformError as error:
                self._note(call, deployment, error, failures, last=last)
            else:
                return answer, Served(route.model, deployment, call.tally.attempts)
        raise most_telling(failures)

    async def stream(self, call: Call) -> AsyncGenerator[Served | bytes | Ending, None]:
        """Who answers, then events, then the ending."""
        route = await self._router.route(call)
        if route.max_output_tokens:
            call = replace(call, max_output_tokens=route.max_output_tokens)
        failures: list[PlatformError] = []
        for deployment, last in _with_last(route):
            started = False
            call.tally.alternatives = not last
            try:
                async with aclosing(self._provider(deployment).stream(deployment, call)) as events:
                    async for event in events:
                        if not started:
                            started = True
                            yield Served(route.model, deployment, call.tally.attempts)
                        yield event
            except PlatformError as error:
                if started:
                    raise
                self._note(call, deployment, error, failures, last=last)
            else:
                return
        raise most_telling(failures)

    def _note(
        self, call: Call, deployment: Deployment, error: PlatformError, failures: list[PlatformError], *, last: bool
    ) -> None:
        """Of a deployment that failed. Raises the error where no other deployment would do better."""
        if not falls_back(error):
            raise error
        failures.append(error)
        log.warning(
            "a deployment failed",
            model=call.model,
            provider=deployment.provider,
            deployment=deployment.id,
            attempts=call.tally.attempts,
            reason=error.reason,
            cause=type(error.__cause__).__name__ if error.__cause__ else "",
            falls_back=not last,
        )
        if not last:
            FALLBACKS.labels(deployment.provider, error.reason).inc()

    def _provider(self, deployment: Deployment) -> LanguageModel:
        provider = self._providers.get(deployment.provider)
        if provider is None:
            raise ProviderNotConfigured
        return provider


def _with_last(route: Route) -> list[tuple[Deployment, bool]]:
    last = len(route.deployments) - 1
    return [(deployment, index == last) for index, deployment in enumerate(route.deployments)]
