"""A judge elsewhere, asked over HTTP: it gets the text and answers what is to be done with it."""

from typing import Any

import orjson
import structlog

from chassis.errors import PlatformError
from chassis.outbound import Outbound, check_url
from chassis.settings import OutboundSettings
from llm_service.domain.errors import GuardrailUnavailable
from llm_service.domain.guardrails import Action, Guardrail, Judgement, Passage, Span
from llm_service.domain.store import Vault
from llm_service.policy.guardrails import bad

log = structlog.get_logger()

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_SECONDS = 30


class ExternalGuard:
    """POSTs `{text, phase, model, request_id, final}`; takes `{action: allow|rewrite|refuse, text?}`."""

    def __init__(self, guardrail: Guardrail, outbound: Outbound, vault: Vault) -> None:
        self._guardrail = guardrail
        self._outbound = outbound
        self._vault = vault
        self._url: str = guardrail.rules["url"]
        self._seconds = float(guardrail.rules.get("timeout_seconds", 5))
        self._passes = guardrail.rules.get("on_error", "refuse") == "allow"

    async def judge(self, passage: Passage) -> Judgement:
        try:
            return self._read(passage, await self._ask(passage))
        except (PlatformError, ValueError, KeyError, TypeError) as error:
            log.warning("a guardrail's judge failed", guardrail_id=self._guardrail.id, why=type(error).__name__)
            if self._passes:
                return Judgement()
            raise GuardrailUnavailable(f"The judge of the guardrail {self._guardrail.name} does not answer.") from error

    async def _ask(self, passage: Passage) -> Any:
        headers = {"Content-Type": "application/json", "X-Request-Id": passage.request_id}
        guardrail = self._guardrail
        if guardrail.credential:
            opened = self._vault.open(guardrail.credential, guardrail.tenant_id, guardrail.id)
            headers["Authorization"] = opened.decode()
        body = orjson.dumps(
            {
                "text": passage.text,
                "phase": passage.phase.value,
                "model": passage.model,
                "request_id": passage.request_id,
                "final": passage.final,
            }
        )
        answer = await self._outbound.request(
            "POST", self._url, headers=headers, body=body, max_bytes=MAX_ANSWER_BYTES, seconds=self._seconds
        )
        if answer.status != 200:
            raise ValueError(answer.status)
        return orjson.loads(answer.body)

    def _read(self, passage: Passage, answer: Any) -> Judgement:
        said = Action(answer["action"])
        if said is Action.ALLOW:
            return Judgement()
        # The row says how far the judge's word goes: one that may only be counted changes nothing.
        action = said if self._guardrail.action is not Action.ALLOW else Action.ALLOW
        if said is Action.REWRITE:
            text = answer["text"]
            if not isinstance(text, str):
                raise TypeError
            return Judgement(action, (Span(0, len(passage.text), text),), 1)
        return Judgement(action, found=1)


def check_http(rules: Any, settings: OutboundSettings) -> None:
    """BadGuardrail, UrlRefused, AddressRefused."""
    url, seconds = rules.get("url"), rules.get("timeout_seconds", 5)
    if not isinstance(url, str):
        raise bad("rules.url", "must be a text")
    check_url(url, settings, "rules.url")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= MAX_SECONDS:
        raise bad("rules.timeout_seconds", f"must be a number up to {MAX_SECONDS}")
    if rules.get("on_error", "refuse") not in ("refuse", "allow"):
        raise bad("rules.on_error", "must be refuse or allow")
