"""LlmService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from dataclasses import dataclass

from llm_service.domain.calls import Generator
from llm_service.service.counting import Counting
from llm_service.service.guardrails import Guardrails
from llm_service.service.models import Models
from llm_service.service.offers import Offers
from llm_service.service.provider_keys import ProviderKeys
from llm_service.service.responses import Responses
from llm_service.service.rules import Rules
from llm_service.servicer.catalogue import CatalogueServicer
from llm_service.servicer.completions import CompletionsServicer
from llm_service.servicer.counts import CountsServicer
from llm_service.servicer.guardrails import GuardrailsServicer
from llm_service.servicer.models import ModelsServicer
from llm_service.servicer.responses import ResponsesServicer
from llm_service.servicer.tenancy import TenancyServicer


@dataclass(frozen=True)
class UseCases:
    """What the service does."""

    generator: Generator
    counting: Counting
    responses: Responses
    offers: Offers
    models: Models
    keys: ProviderKeys
    rules: Rules
    guardrails: Guardrails


class LlmServicer(
    CompletionsServicer,
    CountsServicer,
    ResponsesServicer,
    ModelsServicer,
    CatalogueServicer,
    TenancyServicer,
    GuardrailsServicer,
):
    """All of it."""

    def __init__(self, cases: UseCases) -> None:
        self._generator = cases.generator
        self._counting = cases.counting
        self._responses = cases.responses
        self._offers = cases.offers
        self._models = cases.models
        self._keys = cases.keys
        self._rules = cases.rules
        self._guardrails = cases.guardrails
