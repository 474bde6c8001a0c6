"""Personal data, found by libraries that know its rules: phone numbers by their plans, cards and accounts by checksums.

Names and postal addresses are not looked for: what guesses at them finds too much or too little to be relied on.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import re2

from llm_service.adapters.guards.patterns import check_replacement, told
from llm_service.domain.guardrails import Action, Judgement, Passage, Span
from llm_service.policy.guardrails import bad

LONG_CHARACTERS = 2000
"""From here on a text is read in a thread: phone numbers take a millisecond for each kilobyte or so."""

EMAIL = re2.compile(r"[A-Za-z0-9._%+\-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")
CARD = re2.compile(r"(?:\d[ \-]?){12,18}\d")
IBAN = re2.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
SSN = re2.compile(r"\d{3}-\d{2}-\d{4}")
ADDRESS = re2.compile(r"(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}")

Places = Iterator[tuple[int, int]]


class PiiGuard:
    """Finds the kinds of data that its rules name."""

    def __init__(self, rules: Any, action: Action) -> None:
        self._action = action
        finders = FINDERS | {"phone": partial(_phones, region=rules.get("region"))}
        self._finders = [
            (rules.get("replacement", f"[{name.upper()}]"), finders[name]) for name in rules.get("entities", ENTITIES)
        ]

    async def judge(self, passage: Passage) -> Judgement:
        if len(passage.text) > LONG_CHARACTERS:
            return await asyncio.to_thread(self._judge, passage.text)
        return self._judge(passage.text)

    def _judge(self, text: str) -> Judgement:
        spans = [Span(*place, replacement) for replacement, find in self._finders for place in find(text)]
        return told(self._action, spans)


def check_pii(rules: Any) -> None:
    """BadGuardrail."""
    import phonenumbers

    found = rules.get("entities", list(ENTITIES))
    if not isinstance(found, list) or not found or not all(name in ENTITIES for name in found):
        raise bad("rules.entities", f"must be a list of: {', '.join(ENTITIES)}")
    region = rules.get("region")
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise bad("rules.region", "must be a country whose phone numbers are known, as two capital letters")
    check_replacement(rules)


def _emails(text: str) -> Places:
    return _matches(EMAIL, text)


def _phones(text: str, region: str | None = None) -> Places:
    import phonenumbers

    # Without a region only numbers with a country's code are known to be numbers.
    matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID)
    return ((match.start, match.end) for match in matcher)


def _cards(text: str) -> Places:
    from stdnum import luhn

    return _matches(CARD, text, lambda found: luhn.is_valid(found.replace(" ", "").replace("-", "")))


def _ibans(text: str) -> Places:
    from stdnum import iban

    for start, end in _matches(IBAN, text):
        # What follows in capitals may have been taken for a part of it: the longest beginning that is valid.
        for stop in range(end, start + 14, -1):
            if iban.is_valid(text[start:stop], check_country=False) and not text[stop:][:1].isalnum():
                yield start, stop
                break


def _ssns(text: str) -> Places:
    from stdnum.us import ssn

    return _matches(SSN, text, ssn.is_valid)


def _addresses(text: str) -> Places:
    return _matches(ADDRESS, text, _is_address)


FINDERS: dict[str, Callable[[str], Places]] = {
    "email": _emails,
    "phone": _phones,
    "credit_card": _cards,
    "iban": _ibans,
    "us_ssn": _ssns,
    "ip_address": _addresses,
}
ENTITIES = tuple(FINDERS)


def _matches(expression: Any, text: str, valid: Callable[[str], bool] = lambda _: True) -> Places:
    for match in expression.finditer(text):
        start, end = match.start(), match.end()
        bounded = not text[max(0, start - 1) : start].isalnum() and not text[end : end + 1].isalnum()
        if bounded and valid(text[start:end]):
            yield start, end


def _is_address(found: str) -> bool:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True
