"""Limits of size and language."""

import asyncio
from functools import cache
from typing import Any

from llm_service.domain.guardrails import Action, Judgement, Passage
from llm_service.policy.guardrails import bad

MAX_CHARACTERS = 100_000_000
MIN_CHARACTERS = 20
"""Of fewer, nobody can tell the language."""
MAX_LANGUAGES = 50
SAMPLE_CHARACTERS = 4000


class SizeGuard:
    """Finds a text that is too long, with what went out of it before."""

    def __init__(self, rules: Any, action: Action) -> None:
        self._action = action
        self._most = rules["max_characters"]

    async def judge(self, passage: Passage) -> Judgement:
        too_long = passage.before + len(passage.text) > self._most
        return Judgement(self._action, found=1) if too_long else Judgement()


class LanguageGuard:
    """Finds a text in another language than those that are allowed."""

    def __init__(self, rules: Any, action: Action) -> None:
        self._action = action
        self._allowed = frozenset(rules["allowed"])
        self._least = rules.get("min_characters", MIN_CHARACTERS)

    async def judge(self, passage: Passage) -> Judgement:
        if len(passage.text.strip()) < self._least:
            return Judgement()
        language = await asyncio.to_thread(_language, passage.text[:SAMPLE_CHARACTERS])
        return Judgement() if language in self._allowed else Judgement(self._action, found=1)


def check_size(rules: Any) -> None:
    """BadGuardrail."""
    _whole("max_characters", rules.get("max_characters"), MAX_CHARACTERS)


def check_language(rules: Any) -> None:
    """BadGuardrail."""
    allowed = rules.get("allowed")
    if not isinstance(allowed, list) or not 1 <= len(allowed) <= MAX_LANGUAGES:
        raise bad("rules.allowed", f"must be a list of 1 to {MAX_LANGUAGES} languages")
    known = _identifier().labels
    for language in allowed:
        if language not in known:
            raise bad("rules.allowed", f"must have languages as two letters (ISO 639-1); not {str(language)[:20]}")
    _whole("min_characters", rules.get("min_characters", MIN_CHARACTERS), MAX_CHARACTERS)


def _whole(name: str, found: Any, most: int) -> None:
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
        raise bad(f"rules.{name}", f"must be a whole number from 1 to {most}")


def _language(text: str) -> str:
    found: str = _identifier().classify(text)[0]
    return found


@cache
def _identifier() -> Any:
    """Loaded when the first guardrail of the kind asks: it takes seconds, and memory that most never need."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
