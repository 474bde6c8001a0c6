"""Several answers of the local engine to one request: its server counts what one of them used, and tells only that.

So the probability of each token is asked for, and counted; a client that did not ask for probabilities gets none.
"""

from dataclasses import replace
from typing import Any

from llm_service.domain.calls import Tokens
from llm_service.policy.tokens import estimate_tokens


def several_of(document: dict[str, Any]) -> "Several | None":
    """What is needed to count the answers to a document, where it asks for more than one."""
    prompt = document.get("prompt")
    prompts = prompt if isinstance(prompt, list) and not isinstance(prompt[0], int) else [prompt]
    count = document.get("n")
    if len(prompts) == 1 and (not isinstance(count, int) or count <= 1):
        return None
    read = sum(len(row) if isinstance(row, list) else estimate_tokens(len(row.encode())) for row in prompts if row)
    return Several(read, wanted=bool(document.get("logprobs")))


class Several:
    """Feed it the answer, or a stream's events."""

    def __init__(self, read: int, *, wanted: bool) -> None:
        self._read = read
        self._wanted = wanted
        self._written = 0

    def take(self, document: dict[str, Any]) -> None:
        """Counts; takes out what the client did not ask for."""
        for choice in document.get("choices") or ():
            told = choice.get("logprobs")
            if isinstance(told, dict):
                self._written += len(told.get("content") or ())
                if not self._wanted:
                    choice["logprobs"] = None

    def tokens(self, told: Tokens) -> Tokens:
        """Of all answers, given what the server says of one."""
        return replace(told, input=max(told.input, self._read), output=max(told.output, self._written))

    def usage(self, told: Tokens) -> dict[str, Any]:
        """The same, as the client hears it."""
        tokens = self.tokens(told)
        return {
            "prompt_tokens": tokens.input,
            "completion_tokens": tokens.output,
            "total_tokens": tokens.input + tokens.output,
        }
