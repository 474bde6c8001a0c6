"""LlmService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from llm_service.service.completions import Completions
from llm_service.service.offers import Offers
from llm_service.servicer.completions import CompletionsServicer
from llm_service.servicer.models import ModelsServicer


class LlmServicer(CompletionsServicer, ModelsServicer):
    """All of it."""

    def __init__(self, completions: Completions, offers: Offers) -> None:
        self._completions = completions
        self._offers = offers
