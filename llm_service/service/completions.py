"""Completions: tries the deployments of a model in their order; a stream only until its first event."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import structlog

from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, Hold, LanguageModel, Served, Sink
from llm_service.domain.errors import ProviderNotConfigured
from llm_service.domain.models import Deployment
from llm_service.policy.failures import falls_back, most_telling
from llm_service.service.measures import FALLBACKS
from llm_service.service.router import Route, Router

log = structlog.get_logger()


T = TypeVar("T")

Ask = Callable[[LanguageModel, Deployment, Call, Route], Awaitable[T]]
"""Asks a model at a deployment of the route."""


class _Begun:
    """Where a deployment's events go: the first one tells who answers."""

    def __init__(self, sink: Sink, served: Callable[[], Served]) -> None:
        self.started = False
        self._sink = sink
        self._write = sink.write
        self._served = served

    def begin(self) -> None:
        if not self.started:
            self.started = True
            self._sink.begin(self._served())

    def write(self, events: bytes) -> Hold:
        if not self.started:
            self.begin()
        return self._write(events)


class Completions:
    """Routes calls to providers. A losing attempt is the platform's cost: only what answered is reported."""

    def __init__(self, router: Router, providers: Mapping[str, LanguageModel]) -> None:
        self._router = router
        self._providers = providers

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """The answer. ModelNotFound, ModelNotAllowed, or the most telling of the deployments' failures."""

        async def ask(model: LanguageModel, deployment: Deployment, asked: Call, route: Route) -> tuple[Answer, Served]:
            answer = await model.complete(deployment, asked)
            return answer, _served(route, deployment, asked)

        return await self._first(call, ask)

    async def stream(self, call: Call, sink: Sink) -> Ending:
        """Errors as above, until anything is written."""
        out: _Begun | None = None

        async def ask(model: LanguageModel, deployment: Deployment, asked: Call, route: Route) -> Ending:
            nonlocal out
            out = _Begun(sink, lambda: _served(route, deployment, asked))
            ending = await model.stream(deployment, asked, out)
            out.begin()
            return ending

        return await self._first(call, ask, lambda: bool(out and out.started))

    async def _first(self, call: Call, ask: "Ask[T]", started: Callable[[], bool] = lambda: False) -> T:
        """What the first deployment that can answers."""
        route = await self._router.route(call)
        if route.max_output_tokens:
            call = replace(call, max_output_tokens=route.max_output_tokens)
        failures: list[PlatformError] = []
        for deployment, last in _with_last(route):
            call.tally.alternatives = not last
            try:
                return await ask(self._provider(deployment), deployment, call, route)
            except PlatformError as error:
                if started():
                    raise
                self._note(call, deployment, error, failures, last=last)
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


def _served(route: Route, deployment: Deployment, asked: Call) -> Served:
    return Served(route.model, deployment, asked.tally.attempts, None, route.retirement)


def _with_last(route: Route) -> list[tuple[Deployment, bool]]:
    last = len(route.deployments) - 1
    return [(deployment, index == last) for index, deployment in enumerate(route.deployments)]
