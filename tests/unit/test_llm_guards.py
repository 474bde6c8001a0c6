"""What each guard finds, what its rules may be, and that no text makes one slow."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.errors import PlatformError
from chassis.outbound import Outbound
from chassis.settings import OutboundSettings
from llm_service.adapters.guards.makers import Guards
from llm_service.domain.guardrails import Action, GuardKind, Guardrail, Passage, Phase
from llm_service.policy.guardrails import check, rewritten

SETTINGS = OutboundSettings()
BOTH = frozenset(Phase)


def guards() -> Guards:
    return Guards(Outbound(SETTINGS), SETTINGS, vault=None)  # type: ignore[arg-type]  # nothing here is sealed


def row(kind: GuardKind, action: Action = Action.REWRITE, **rules: Any) -> Guardrail:
    return Guardrail("g", "t", "rule", kind, BOTH, action, rules, datetime(2026, 1, 1, tzinfo=UTC))


async def left(guardrail: Guardrail, text: str) -> str:
    guards().check(guardrail)
    judgement = await guards().make(guardrail).judge(Passage(text, Phase.INPUT))
    return rewritten(text, judgement.spans)


@pytest.mark.parametrize(
    ("guardrail", "text", "wanted"),
    [
        (row(GuardKind.PATTERN, patterns=[r"sk-\w+"]), "key sk-abc1, ünd sk-2", "key [removed], ünd [removed]"),
        (row(GuardKind.PATTERN, patterns=["A+"], replacement="*"), "aAAa", "a*a"),
        (row(GuardKind.PATTERN, patterns=["a"], case_sensitive=False, replacement=""), "AbaB", "bB"),
        (row(GuardKind.PATTERN, patterns=["abc", "bcd"], replacement="*"), "abcd", "*d"),
        (
            row(GuardKind.WORDS, words=["ass", "darn it"]),
            "An associate, darn  it! DARN IT",
            "An associate, darn  it! [removed]",
        ),
        (row(GuardKind.WORDS, words=["grün"]), "grün, grünlich", "[removed], grünlich"),
        (row(GuardKind.WORDS, words=["ass"], whole_words=False, replacement="*"), "associate", "*ociate"),
        (row(GuardKind.PII), "Write to ada@example.com.", "Write to [EMAIL]."),
        (row(GuardKind.PII), "Call +49 30 901820 now", "Call [PHONE] now"),
        (row(GuardKind.PII, region="US"), "Call (650) 253-0000 now", "Call [PHONE] now"),
        (
            row(GuardKind.PII),
            "Card 4111 1111 1111 1111, order 4111 1111 1111 1112",
            "Card [CREDIT_CARD], order 4111 1111 1111 1112",
        ),
        (row(GuardKind.PII), "IBAN DE89 3704 0044 0532 0130 00 PLEASE", "IBAN [IBAN] PLEASE"),
        (
            row(GuardKind.PII),
            "From 192.0.2.17 and 2001:db8::1, not 999.1.1.1",
            "From [IP_ADDRESS] and [IP_ADDRESS], not 999.1.1.1",
        ),
        (row(GuardKind.PII), "SSN 536-90-4399", "SSN [US_SSN]"),
        (row(GuardKind.PII, entities=["email"], replacement="?"), "a@b.example, 192.0.2.17", "?, 192.0.2.17"),
        (
            row(GuardKind.PII),
            "Nothing here: version 1.2.3, 12:30, 100,000 things.",
            "Nothing here: version 1.2.3, 12:30, 100,000 things.",
        ),
    ],
)
async def test_what_is_found_is_replaced_and_nothing_else(guardrail: Guardrail, text: str, wanted: str) -> None:
    assert await left(guardrail, text) == wanted


@pytest.mark.parametrize(
    ("guardrail", "passage", "found"),
    [
        (row(GuardKind.SIZE, Action.REFUSE, max_characters=5), Passage("12345", Phase.INPUT), 0),
        (row(GuardKind.SIZE, Action.REFUSE, max_characters=5), Passage("123456", Phase.INPUT), 1),
        (row(GuardKind.SIZE, Action.REFUSE, max_characters=5), Passage("12", Phase.OUTPUT, before=4), 1),
        (
            row(GuardKind.LANGUAGE, Action.REFUSE, allowed=["en"]),
            Passage("This is a plain English sentence.", Phase.INPUT),
            0,
        ),
        (
            row(GuardKind.LANGUAGE, Action.REFUSE, allowed=["en"]),
            Passage("Das ist ein ganz normaler deutscher Satz.", Phase.INPUT),
            1,
        ),
        (row(GuardKind.LANGUAGE, Action.REFUSE, allowed=["en"]), Passage("Ja.", Phase.INPUT), 0),
    ],
)
async def test_what_has_no_place_is_found_as_a_whole(guardrail: Guardrail, passage: Passage, found: int) -> None:
    guards().check(guardrail)
    judgement = await guards().make(guardrail).judge(passage)
    assert judgement.found == found
    assert judgement.action is (Action.REFUSE if found else Action.ALLOW)


@pytest.mark.parametrize(
    ("guardrail", "field"),
    [
        (row(GuardKind.PATTERN, patterns=["("]), "rules.patterns.0"),
        (row(GuardKind.PATTERN, patterns=["a*"]), "rules.patterns.0"),
        (row(GuardKind.PATTERN, patterns=[r"(a)\1"]), "rules.patterns.0"),
        (row(GuardKind.PATTERN, patterns=[]), "rules.patterns"),
        (row(GuardKind.PATTERN, patterns=["a"] * 51), "rules.patterns"),
        (row(GuardKind.PATTERN, patterns=["a"], replacement="x" * 201), "rules.replacement"),
        (row(GuardKind.PATTERN, patterns=["a"], unknown=1), "rules.unknown"),
        (row(GuardKind.WORDS, words=[" "]), "rules.words"),
        (row(GuardKind.WORDS, words="abc"), "rules.words"),
        (row(GuardKind.PII, entities=["soul"]), "rules.entities"),
        (row(GuardKind.PII, region="us"), "rules.region"),
        (row(GuardKind.SIZE, Action.REFUSE, max_characters=True), "rules.max_characters"),
        (row(GuardKind.SIZE, Action.REFUSE), "rules.max_characters"),
        (row(GuardKind.LANGUAGE, Action.REFUSE, allowed=["english"]), "rules.allowed"),
        (row(GuardKind.HTTP, url="https://127.0.0.1/judge"), "rules.url"),
        (row(GuardKind.HTTP, url="http://example.com/"), "rules.url"),
        (row(GuardKind.HTTP, url="https://example.com/", timeout_seconds=31), "rules.timeout_seconds"),
        (row(GuardKind.HTTP, url="https://example.com/", on_error="ignore"), "rules.on_error"),
        (replace(row(GuardKind.SIZE, max_characters=1), credential=b"x"), "authorization"),
    ],
)
def test_rules_that_are_not_valid_are_named(guardrail: Guardrail, field: str) -> None:
    with pytest.raises(PlatformError) as caught:
        guards().check(guardrail)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("guardrail", "field"),
    [
        (replace(row(GuardKind.PII), name=" "), "name"),
        (replace(row(GuardKind.PII), phases=frozenset()), "phases"),
        (replace(row(GuardKind.PII), models=frozenset(map(str, range(101)))), "models"),
        (row(GuardKind.SIZE, Action.REWRITE, max_characters=1), "action"),
    ],
)
def test_a_guardrail_that_cannot_be_is_refused(guardrail: Guardrail, field: str) -> None:
    with pytest.raises(PlatformError) as caught:
        check(guardrail)
    assert caught.value.violations[0].field == field


async def test_an_expression_that_explodes_elsewhere_grows_with_the_text_only() -> None:
    """The same text twice as long takes about twice as long; a backtracking engine would not end at all."""
    guard = guards().make(row(GuardKind.PATTERN, patterns=[r"(a+)+$|(x*)*y", r"(\w+\s?)*!"]))

    async def cpu(length: int) -> float:
        passage, begun = Passage("a" * length + "?", Phase.INPUT), time.process_time()
        await guard.judge(passage)
        return time.process_time() - begun

    short = min([await cpu(20_000) for _ in range(3)])
    long = min([await cpu(80_000) for _ in range(3)])
    assert long < 40 * max(short, 0.0005)
