"""What the official SDKs can ask goes to a provider that speaks their format byte for byte, or is refused by name."""

import re
from typing import Any

import orjson
import pytest
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as Beta
from anthropic.types.message_create_params import MessageCreateParamsBase as Messages
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as Chat
from openai.types.completion_create_params import CompletionCreateParamsBase as Completions
from openai.types.responses.response_create_params import ResponseCreateParamsBase as Responses

from chassis.document import read_object
from chassis.errors import PlatformError
from gateway.routes.faces.chat import ChatCompletionsFace
from gateway.routes.faces.completions import CompletionsFace
from gateway.routes.faces.face import Face
from gateway.routes.faces.messages import MessagesFace
from gateway.routes.faces.responses import ResponsesFace
from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.completions import TextCompletions
from llm_service.adapters.messages import Messages as MessagesWire
from llm_service.adapters.responses import Responses as ResponsesWire
from llm_service.adapters.wire import Wire
from llm_service.domain.calls import Call, Format
from llm_service.domain.models import Deployment
from tests.standins.variations import variations

HERE, THERE = orjson.dumps("openai/here"), orjson.dumps("there")
LEAST: dict[str, Any] = {"model": "openai/here", "stream": False}
HELLO = {"messages": [{"role": "user", "content": "hi"}]}
FORMATS: dict[str, tuple[Any, dict[str, Any], Face, Wire, Format, str]] = {
    "chat": (Chat, HELLO, ChatCompletionsFace(), ChatCompletions(), Format.CHAT_COMPLETIONS, ""),
    "completions": (Completions, {"prompt": "hi"}, CompletionsFace(), TextCompletions(), Format.COMPLETIONS, ""),
    "messages": (Messages, HELLO | {"max_tokens": 9}, MessagesFace(), MessagesWire(), Format.MESSAGES, ""),
    "beta messages": (
        Beta, HELLO | {"max_tokens": 9}, MessagesFace(), MessagesWire(), Format.MESSAGES,
        r"thread(\..*)? | fallbacks.*",
    ),
    "responses": (
        Responses, {"input": "hi"}, ResponsesFace(), ResponsesWire(), Format.RESPONSES,
        r"background | conversation(\..*)? | prompt(\..*)? | tools\[0\].* | input\[0\].*",
    ),
}  # fmt: skip
"""Of each: the SDK's type, the smallest request, the gateway's face, the provider's wire, and what is refused."""
OF_PROVIDERS = r"""
    tools\[\d\](\.tools\[\d\])? | input\[0\] | input\[0\]\..*\.?file_id | background | conversation | prompt
    | thread | fallbacks
"""
"""What a refusal may name: tools of a provider's, and what it keeps."""


def _told(face: Face, wire: Wire, form: Format, body: bytes) -> bytes | PlatformError:
    """What a provider gets, or why it gets nothing."""
    try:
        face.read(read_object(body, face.deciding))
        return wire.document(Deployment("p", "there"), Call("openai/here", body, form), stream=False)
    except PlatformError as error:
        return error


@pytest.mark.parametrize("name", FORMATS)
def test_each_field_goes_as_it_came(name: str) -> None:
    kind, least, face, wire, form, refused = FORMATS[name]
    passed = 0
    for found in variations(kind):
        field = re.split(r"[.\[]", found.place)[0]
        if field in ("", "model"):
            continue
        document = LEAST | least | {field: found.value[field]}
        told = _told(face, wire, form, body := orjson.dumps(document))
        if isinstance(told, bytes):
            assert told == body.replace(HERE, THERE), found.place
            passed += 1
        else:
            assert told.reason == "UNSUPPORTED", (found.place, told.message)
            assert re.fullmatch(refused, found.place, re.VERBOSE), (found.place, told.message)
            assert re.fullmatch(OF_PROVIDERS, told.metadata["param"], re.VERBOSE), (found.place, told.message)
    assert passed > 10
