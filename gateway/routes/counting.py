"""POST /v1/messages/count_tokens: what a model would read of a request that is not made. Nothing is used or charged."""

from typing import Any

import orjson
from aisp.llm.v1 import llm_service_pb2 as pb

from chassis.document import read_object
from gateway.admission import Gate, Work
from gateway.clients import Clients
from gateway.edge import Receive, Scope, Send
from gateway.routes import raw
from gateway.routes.faces.messages import DECIDING, MAX_MODEL_CHARACTERS
from gateway.routes.generation import dialect
from gateway.settings import GatewaySection

PATH = "/v1/messages/count_tokens"
COUNTED, ESTIMATED = b"counted", b"estimated"


class CountingRoute:
    """Raw ASGI, for the sake of the client's document, which crosses as it came."""

    def __init__(self, gate: Gate, clients: Clients, settings: GatewaySection) -> None:
        self._gate = gate
        self._clients = clients
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state: dict[str, Any] = scope["state"]
        caller = state["caller"]
        caller.require("inference")
        body = await raw.read_body(scope, receive, self._settings.max_body_bytes)
        document = read_object(body, DECIDING)
        model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
        caller.require_model(model, chosen=True)
        version, features = dialect(scope)
        envelope = pb.Envelope(
            model=model, format=pb.FORMAT_MESSAGES, body=body, format_version=version, format_features=features
        )
        async with self._gate.admitted(state, "", Work("llm", "management")) as call:
            request = pb.CountTokensRequest(envelope=envelope)
            found = await self._clients.llm.CountTokens(request, **call.options)
        headers = [
            (b"x-aisp-provider", found.provider.encode()),
            (b"x-aisp-tokens", COUNTED if found.exact else ESTIMATED),
        ]
        await raw.answer(scope, send, orjson.dumps({"input_tokens": found.input_tokens}), headers)
