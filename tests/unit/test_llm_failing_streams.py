"""What comes in one piece with a failure came before it: who has begun to read gets it, then hears of the failure."""

from collections.abc import Callable, Mapping
from typing import cast

import orjson
import pytest

from chassis.errors import PlatformError
from chassis.flow import Hold
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.http import ProviderHttp
from llm_service.adapters.messages import Messages
from llm_service.adapters.responses import Responses
from llm_service.adapters.wire import Wire, WireModel
from llm_service.domain.calls import Call, Format
from llm_service.domain.models import Deployment
from tests.standins import anthropic_provider, faults
from tests.standins.openai_provider import chunks, events

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}], "input": "hi", "max_tokens": 9}
WIRES: dict[Format, tuple[Wire, list[bytes]]] = {
    Format.CHAT_COMPLETIONS: (ChatCompletions(), [events([one], done=False) for one in chunks("a", "b", "c")]),
    Format.MESSAGES: (Messages(), [anthropic_provider.events([one]) for one in anthropic_provider.stream()[:3]]),
    Format.RESPONSES: (
        Responses(), [anthropic_provider.events([one]) for one in faults.RESPONSE_BEGUN + faults.RESPONSE_BEGUN[-1:]],
    ),
}  # fmt: skip
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"boom"}}\n\n'


class Scripted:
    """A provider's HTTP of which these pieces come."""

    max_answer_bytes = 1_000_000

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def stream(
        self, _deployment: Deployment, _path: str, _document: bytes, take: Callable[[bytes], Hold], _: Mapping[str, str]
    ) -> None:
        for piece in self._pieces:
            take(piece)


class Written:
    """What a client got."""

    def __init__(self) -> None:
        self.started = False
        self.data = b""

    def write(self, data: bytes) -> Hold:
        self.started = True
        self.data += data
        return None


async def _hear(form: Format, *pieces: bytes) -> bytes:
    out = Written()
    model = WireModel(cast(ProviderHttp, Scripted(*pieces)), {form: WIRES[form][0]})
    with pytest.raises(PlatformError) as caught:
        await model.stream(Deployment("openai", "m"), Call("m", orjson.dumps(ASKED), form), out)
    assert caught.value.reason == "PROVIDER_UNAVAILABLE"
    return out.data


@pytest.mark.parametrize("form", WIRES)
async def test_what_came_before_a_failure_is_told(form: Format) -> None:
    first, second, third = WIRES[form][1][:3]
    assert await _hear(form, first, second + third + ERROR) == first + second + third


@pytest.mark.parametrize("form", WIRES)
async def test_as_long_as_nothing_was_told_another_attempt_can_take_over(form: Format) -> None:
    assert await _hear(form, WIRES[form][1][0] + ERROR) == b""
