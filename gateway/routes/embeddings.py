"""POST /v1/embeddings, raw ASGI: texts or token ids in, floats or base64 out."""

import array
import base64
from typing import Any

import orjson
from aisp.embedding.v1 import embedding_service_pb2 as pb

from chassis.document import read_object
from gateway.admission import Call, Gate, Work
from gateway.azure import deployed
from gateway.clients import Clients
from gateway.edge import Receive, Scope, Send
from gateway.idempotency import fingerprint, idempotency_key
from gateway.routes import estimates, raw
from gateway.settings import GatewaySection
from gateway.sse import until_disconnect

PATH = "/v1/embeddings"
MAX_MODEL_CHARACTERS = 200
INPUT_TYPES = {None: 0, "query": pb.INPUT_TYPE_QUERY, "document": pb.INPUT_TYPE_DOCUMENT}


class EmbeddingsRoute:
    """The hot route."""

    def __init__(self, gate: Gate, clients: Clients, settings: GatewaySection) -> None:
        self._gate = gate
        self._clients = clients
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["caller"].require("inference")
        key = idempotency_key(scope["headers"])
        body = await raw.read_body(scope, receive, self._settings.max_body_bytes)
        document = read_object(body, ("model", "dimensions", "encoding_format", "input_type"))
        body, document = deployed(state, body, document)
        request = _request(document, body)
        as_base64 = _as_base64(document)
        marks = (key, fingerprint("POST", PATH, body)) if key else ("", "")
        work = estimates.embedding(request.model, body)

        async def serve() -> None:
            async with self._gate.admitted(state, "", work, marks) as call:
                response = await self._clients.embedding.EmbedTexts(request, **call.options)
                call.use(response.usage)
            await raw.answer(scope, send, response.body or _answer(response, call, as_base64=as_base64), [])

        await until_disconnect(scope, receive, serve())


def estimate(document: dict[str, Any], body: bytes) -> Work:
    """What a call is reserved as. BadBody."""
    return estimates.embedding(_request(document, body).model, body)


def _request(document: dict[str, Any], body: bytes) -> pb.EmbedTextsRequest:
    model = raw.text_key(document, "model", MAX_MODEL_CHARACTERS)
    kind = document.get("input_type")
    if not isinstance(kind, str | None) or kind not in INPUT_TYPES:
        raise raw.wrong("input_type", "must be query or document")
    return pb.EmbedTextsRequest(
        model=model,
        inputs=_inputs(document.get("input")),
        dimensions=raw.count_key(document, "dimensions") or 0,
        input_type=INPUT_TYPES[kind],  # type: ignore[arg-type]  # numbers of the enum
        body=body,
    )


def _inputs(given: Any) -> list[pb.Input]:
    if isinstance(given, str):
        return [pb.Input(text=given)]
    if not isinstance(given, list) or not given:
        raise raw.wrong("input", "must be a text, token ids, or a list of them")
    if all(isinstance(item, str) for item in given):
        return [pb.Input(text=item) for item in given]
    rows = [given] if all(isinstance(item, int) for item in given) else given
    if not all(isinstance(row, list) and all(_is_id(number) for number in row) for row in rows):
        raise raw.wrong("input", "must be a text, token ids, or a list of them")
    return [pb.Input(tokens=pb.TokenIds(ids=row)) for row in rows]


def _is_id(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31


def _as_base64(document: dict[str, Any]) -> bool:
    encoding = document.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise raw.wrong("encoding_format", "must be float or base64")
    return bool(encoding == "base64")


def _answer(response: pb.EmbedTextsResponse, call: Call, *, as_base64: bool) -> bytes:
    tokens = sum(line.amount for line in call.lines)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector).decode() if as_base64 else array.array("f", vector).tolist(),
        }
        for index, vector in enumerate(response.vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": response.model, "usage": usage})
