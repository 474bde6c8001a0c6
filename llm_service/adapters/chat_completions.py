"""OpenAI's chat completions on the wire."""

from typing import Any

from llm_service.adapters.openai_wire import OpenAIWire
from llm_service.policy.documents import read_chat
from llm_service.policy.local import chat_for_local


class ChatCompletions(OpenAIWire):
    """The format."""

    path = "/chat/completions"

    def __init__(self, *, local: bool = False) -> None:
        super().__init__(local=local)
        # llama.cpp counts; of others it is not known.
        self.counting = "/chat/completions/input_tokens" if local else ""

    def read(self, body: bytes) -> dict[str, Any]:
        return read_chat(body)

    def for_local(self, document: dict[str, Any]) -> dict[str, Any]:
        return chat_for_local(document)
