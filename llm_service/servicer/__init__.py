"""LlmService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from llm_service.domain.calls import Generator
from llm_service.service.counting import Counting
from llm_service.service.guardrails import Guardrails
from llm_service.service.offers import Offers
from llm_service.service.responses import Responses
from llm_service.servicer.completions import CompletionsServicer
from llm_service.servicer.counts import CountsServicer
from llm_service.servicer.guardrails import GuardrailsServicer
from llm_service.servicer.models import ModelsServicer
from llm_service.servicer.responses import ResponsesServicer


class LlmServicer(CompletionsServicer, CountsServicer, ResponsesServicer, ModelsServicer, GuardrailsServicer):
    """All of it."""

    def __init__(
        self, generator: Generator, counting: Counting, responses: Responses, offers: Offers, guardrails: Guardrails
    ) -> None:
        self._generator = generator
        self._counting = counting
        self._responses = responses
        self._offers = offers
        self._guardrails = guardrails
