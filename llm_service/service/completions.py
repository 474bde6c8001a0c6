"""Completions: finds the deployments of a model and tries them in order; a stream only until its first event."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from chassis.errors import PlatformError
from llm_service.domain.calls import Answer, Call, Ending, LanguageModel
from llm_service.domain.errors import ProviderNotConfigured
from llm_service.domain.models import Deployment, Health, Model
from llm_service.policy.failures import falls_back
from llm_service.service.catalogue import Catalogue

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Served:
    """Who answers, and which attempt it is."""

    deployment: Deployment
    attempts: int


class Completions:
    """Routes calls to providers. A losing attempt is the platform's cost: only what answered is reported."""

    def __init__(self, catalogue: Catalogue, providers: Mapping[str, LanguageModel]) -> None:
        self._catalogue = catalogue
        self._providers = providers

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """The answer. ModelNotFound, or what the last deployment failed with."""
        model = self._catalogue.resolve(call.model)
        for deployment, last in _with_last(model):
            try:
                answer = await self._provider(deployment).complete(deployment, call)
            except PlatformError as error:
                if last or not falls_back(error):
                    raise
                log.warning("falling back", model=call.model, provider=deployment.provider, reason=error.reason)
            else:
                return answer, Served(deployment, call.tally.attempts)
        raise AssertionError  # a model has at least one deployment

    async def stream(self, call: Call) -> AsyncGenerator[Served | bytes | Ending, None]:
        """Who answers, then events, then the ending."""
        model = self._catalogue.resolve(call.model)
        for deployment, last in _with_last(model):
            started = False
            try:
                async with aclosing(self._provider(deployment).stream(deployment, call)) as events:
                    async for event in events:
                        if not started:
                            started = True
                            yield Served(deployment, call.tally.attempts)
                        yield event
            except PlatformError as error:
                if started or last or not falls_back(error):
                    raise
                log.warning("falling back", model=call.model, provider=deployment.provider, reason=error.reason)
            else:
                return

    def models(self) -> list[tuple[Model, Health]]:
        """The catalogue, with the health of each model's best deployment."""
        rank = {Health.OK: 0, Health.FAILING: 1, Health.NOT_CONFIGURED: 2}
        return [
            (model, min((self._health(deployment) for deployment in model.deployments), key=rank.__getitem__))
            for model in self._catalogue.models()
        ]

    def _health(self, deployment: Deployment) -> Health:
        provider = self._providers.get(deployment.provider)
        return provider.health() if provider else Health.NOT_CONFIGURED

    def _provider(self, deployment: Deployment) -> LanguageModel:
        provider = self._providers.get(deployment.provider)
        if provider is None:
            raise ProviderNotConfigured
        return provider


def _with_last(model: Model) -> list[tuple[Deployment, bool]]:
    last = len(model.deployments) - 1
    return [(deployment, index == last) for index, deployment in enumerate(model.deployments)]
