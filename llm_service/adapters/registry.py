"""The kinds of providers, one table: the wires that each speaks, how it wants its key, where its models are.

A kind says nothing of a single installation: addresses and keys are settings, or stand in the catalogue with each
deployment. A provider that speaks a wire which is there is one more row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from llm_service.adapters.chat_completions import ChatCompletions
from llm_service.adapters.completions import TextCompletions
from llm_service.adapters.http import Authorization, Locate, bearer, below
from llm_service.adapters.messages import Messages, api_key
from llm_service.adapters.responses import Responses
from llm_service.adapters.wire import Wire
from llm_service.domain.calls import Format
from llm_service.domain.models import Deployment


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of provider."""

    wires: Callable[[], Mapping[Format, Wire]]
    authorization: Authorization = bearer
    locate: Locate = below


def openai_wires() -> Mapping[Format, Wire]:
    """As OpenAI speaks."""
    return {**compatible_wires(), Format.RESPONSES: Responses()}


def compatible_wires() -> Mapping[Format, Wire]:
    """As all speak that imitate OpenAI: few of them have responses, and fewer all of it."""
    return {Format.CHAT_COMPLETIONS: ChatCompletions(), Format.COMPLETIONS: TextCompletions()}


def local_wires() -> Mapping[Format, Wire]:
    """Of the engine that this service keeps running."""
    return {
        Format.CHAT_COMPLETIONS: ChatCompletions(local=True),
        Format.COMPLETIONS: TextCompletions(local=True),
    }


def anthropic_wires() -> Mapping[Format, Wire]:
    """As Anthropic speaks, and all that imitate it."""
    return {Format.MESSAGES: Messages()}


def azure_key(key: str) -> Mapping[str, str]:
    """As Azure wants it."""
    return {"api-key": key}


def azure(address: str, path: str, deployment: Deployment) -> str:
    """Azure's address of a deployment: with a version the dated API, without one the API without dates.

    The dated API names the deployment in the path, but not for responses: those name it in the document.
    """
    base = address.rstrip("/")
    if not deployment.api_version:
        return f"{base}/openai/v1{path}"
    name, version = quote(deployment.upstream_model, safe=""), quote(deployment.api_version, safe="")
    place = "" if path == Responses.path else f"/deployments/{name}"
    return f"{base}/openai{place}{path}?api-version={version}"


KINDS: Mapping[str, Kind] = {
    "openai": Kind(openai_wires),
    "anthropic": Kind(anthropic_wires, api_key),
    "azure": Kind(openai_wires, azure_key, azure),
    "hf": Kind(compatible_wires),
    "vllm": Kind(compatible_wires),
    "tgi": Kind(compatible_wires),
    "compatible": Kind(compatible_wires),
    "local": Kind(local_wires),
}
"""By the provider's name, which is also the prefix of names that need no row in the catalogue."""
