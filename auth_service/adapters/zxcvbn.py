"""PasswordJudge with zxcvbn: how many guesses somebody needs who knows the usual passwords, words, names and patterns.

Its lists (30,000 passwords of published breaches, English words, names) come with the package; nobody is asked.
"""

import asyncio
import math
from collections.abc import Sequence

from zxcvbn import zxcvbn

MOST_CHARACTERS = 72
"""That are looked at: its cost grows with the square, and what 72 characters leave open no more will."""
MOST_WORDS = 8


class ZxcvbnJudge:
    """Refuses what fewer than 10 to the power of `guesses` attempts find."""

    def __init__(self, guesses: int) -> None:
        self._guesses = guesses

    async def problem(self, password: str, known: Sequence[str]) -> str:
        words = [word[:MOST_CHARACTERS] for word in known[:MOST_WORDS]]
        # In a thread: some milliseconds of a long password are not the event loop's.
        found = await asyncio.to_thread(zxcvbn, password[:MOST_CHARACTERS], words)
        if found["guesses"] >= 10**self._guesses:
            return ""
        warning = str(found["feedback"]["warning"]).rstrip(".")
        reason = f": {warning[0].lower()}{warning[1:]}" if warning else ""
        tried = math.ceil(math.log10(max(10, int(found["guesses"]))))
        return f"is among the first 10^{tried} that a guesser tries{reason}"
