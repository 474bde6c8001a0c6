"""Counts what a model would read of a document, without asking it: by the provider's own count, else by an estimate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from chassis.errors import PlatformError
from chassis.members import with_member
from llm_service.domain.calls import Call, InputCounter
from llm_service.domain.errors import ProviderNotConfigured
from llm_service.domain.models import Deployment
from llm_service.policy.documents import read_messages
from llm_service.policy.estimates import estimate_input
from llm_service.policy.failures import falls_back
from llm_service.policy.translation.pairs import MessagesByChat
from llm_service.service.router import Router

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens; `exact`: by the model's own tokenizer and template."""

    tokens: int
    exact: bool
    deployment: Deployment


class Counting:
    """Counts for the deployment that would be asked first."""

    def __init__(self, router: Router, counters: Mapping[str, InputCounter]) -> None:
        self._router = router
        self._counters = counters

    async def count(self, call: Call) -> Count:
        """Of a document in Anthropic's format. ModelNotFound, BadDocument, Unsupported, ProviderRefused."""
        document = read_messages(call.body)
        deployment = (await self._router.route(call)).deployments[0]
        counter = self._counters.get(deployment.provider)
        found: int | None = None
        if counter is not None:
            try:
                found = await counter.count(deployment, _spoken(call, counter))
            except PlatformError as error:
                if not falls_back(error) and not isinstance(error, ProviderNotConfigured):
                    raise
                log.warning("tokens are estimated", provider=deployment.provider, reason=error.reason)
        if found is not None:
            return Count(found, exact=True, deployment=deployment)
        return Count(estimate_input(document, deployment.upstream_model), exact=False, deployment=deployment)


def _spoken(call: Call, counter: InputCounter) -> Call:
    """The call in a format that the counter takes."""
    if counter.counts(call.format):
        return call
    document = read_messages(call.body)
    bounded = call.body if "max_tokens" in document else with_member(call.body, document, "max_tokens", b"1")
    return MessagesByChat().request(replace(call, body=bounded))
