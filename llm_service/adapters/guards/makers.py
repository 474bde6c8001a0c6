"""The table of guards: for each kind how its rules are checked, what they may name, and what judges."""

from collections.abc import Callable
from typing import Any

from chassis.outbound import Outbound
from chassis.settings import OutboundSettings
from llm_service.adapters.guards.external import ExternalGuard, check_http
from llm_service.adapters.guards.measures import LanguageGuard, SizeGuard, check_language, check_size
from llm_service.adapters.guards.patterns import PatternGuard, WordsGuard, check_patterns, check_words
from llm_service.adapters.guards.pii import PiiGuard, check_pii
from llm_service.domain.guardrails import Action, Guard, GuardKind, Guardrail
from llm_service.domain.store import Vault
from llm_service.policy.guardrails import bad

Maker = Callable[[Any, Action], Guard]
BUILT_IN: dict[GuardKind, tuple[frozenset[str], Callable[[Any], None], Maker]] = {
    GuardKind.PATTERN: (frozenset(("patterns", "replacement", "case_sensitive")), check_patterns, PatternGuard),
    GuardKind.WORDS: (frozenset(("words", "replacement", "whole_words")), check_words, WordsGuard),
    GuardKind.PII: (frozenset(("entities", "region", "replacement")), check_pii, PiiGuard),
    GuardKind.SIZE: (frozenset(("max_characters",)), check_size, SizeGuard),
    GuardKind.LANGUAGE: (frozenset(("allowed", "min_characters")), check_language, LanguageGuard),
}
HTTP_RULES = frozenset(("url", "timeout_seconds", "on_error"))


class Guards:
    """Makes them."""

    def __init__(self, outbound: Outbound, settings: OutboundSettings, vault: Vault) -> None:
        self._outbound = outbound
        self._settings = settings
        self._vault = vault

    def check(self, guardrail: Guardrail) -> None:
        """BadGuardrail; UrlRefused and AddressRefused for the address of a judge elsewhere."""
        external = guardrail.kind is GuardKind.HTTP
        known = HTTP_RULES if external else BUILT_IN[guardrail.kind][0]
        if unknown := sorted(set(guardrail.rules) - known):
            raise bad(f"rules.{unknown[0][:64]}", f"is no rule of this kind, which has: {', '.join(sorted(known))}")
        if external:
            check_http(guardrail.rules, self._settings)
            return
        if guardrail.credential:
            raise bad("authorization", "is for the kind http only")
        BUILT_IN[guardrail.kind][1](guardrail.rules)

    def make(self, guardrail: Guardrail) -> Guard:
        """Of a row that was checked when it was written."""
        if guardrail.kind is GuardKind.HTTP:
            return ExternalGuard(guardrail, self._outbound, self._vault)
        return BUILT_IN[guardrail.kind][2](guardrail.rules, guardrail.action)
