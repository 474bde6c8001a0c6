"""What a call used whose provider did not count it: its texts are counted, as nearly as can be without a tokenizer."""

from collections.abc import Iterable

import orjson

from chassis.tokens import text_tokens
from llm_service.domain.calls import Call, Tokens
from llm_service.policy.estimates import estimate_input


def uncounted(call: Call, said: Iterable[str]) -> Tokens:
    """`said`: the texts of the answer, or their pieces in order."""
    # A character may come in two halves, and one of them alone.
    text = "".join(said).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Tokens(input=estimate_input(orjson.loads(call.body), call.model), output=text_tokens(text))
