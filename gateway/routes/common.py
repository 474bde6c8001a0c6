"""What the ordinary routes share: dependencies, the shapes of times and pages, errors in the OpenAPI document."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from aisp.auth.v1.audit_pb2 import AuditChain
from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chassis.context import OperatorOnly
from chassis.errors import InvalidCursor
from chassis.pagination import decode_cursor, encode_cursor
from gateway.admission import MANAGEMENT, Call, Gate
from gateway.audit import Audited, audited
from gateway.clients import Clients
from gateway.errors import BadBody, bad_body
from gateway.idempotency import fingerprint, idempotency_key
from gateway.settings import GatewaySection


class StrictRequest(Request):
    """A request whose JSON has no NaN, no lone surrogate and no depth that a parser dies of."""

    async def json(self) -> Any:
        """The body's document. json.JSONDecodeError."""
        return orjson.loads(await self.body())


class StrictRoute(APIRoute):
    """The class of every route of ours."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class Body(BaseModel):
    """A body of the platform's own routes: what is unknown in it is refused."""

    model_config = ConfigDict(extra="forbid")


def read(model: type[BaseModel], query: dict[str, Any], body: bytes) -> Any:
    """The query's parameters and the body's, together; what stands in both is the body's. BadBody."""
    if body:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadBody("The body is not valid JSON.") from error
        if not isinstance(document, dict):
            raise BadBody("The body must be a JSON object.")
        query = query | document
    try:
        return model.model_validate(query)
    except ValidationError as error:
        raise bad_body([item | {"loc": ("body", *item["loc"])} for item in error.errors()]) from error


Whole = Annotated[int, Field(strict=True)]
"""A number that decides about use or money: `true` and "7" are none."""


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, str]] | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route of ours, for the OpenAPI document."""
    texts = {
        400: "A parameter is not valid",
        401: "No valid credentials",
        403: "Not allowed",
        404: "Not there",
        409: "In conflict with what is there",
        413: "Too large",
        415: "Not a media type of this route",
        422: "The body is not valid",
        429: "A limit binds",
        503: "Not available at the moment",
        504: "Took too long",
    }
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": texts[status], "content": content} for status in statuses}


AUTHENTICATED = problems(401, 403, 429, 503)


def clients(request: Request) -> Clients:
    """The services."""
    found: Clients = request.state.clients
    return found


def gate(request: Request) -> Gate:
    """Admission."""
    found: Gate = request.state.gate
    return found


def section(request: Request) -> GatewaySection:
    """The gateway's settings."""
    found: GatewaySection = request.state.gateway
    return found


def managed(scope: str, *, operator: bool = False, audit: str = "", platform: bool = False) -> Any:
    """A dependency: a management call of a caller with this scope, admitted.

    `audit`: the action (noun.verb) under which it is recorded, unless auth_service does it, which records by itself.
    The last parameter of the path is the resource; `call.deed` takes what else there is to tell.
    `platform`: recorded in the platform's own log.
    """

    async def admitted(request: Request) -> AsyncIterator[Call]:
        if operator and not request.state.caller.operator:
            raise OperatorOnly
        key = await marks(request) if request.method == "POST" else ("", "")
        async with gate(request).admitted(request.scope["state"], scope, MANAGEMENT, key) as call:
            if not audit:
                yield call
                return
            chain = AuditChain(platform=True) if platform else AuditChain()
            deed = Audited(audit, next(reversed(request.path_params.values()), ""), chain=chain)
            async with audited(clients(request), call.context, deed) as call.deed:
                yield call

    # By which tests see that no route is forgotten.
    admitted.audit = audit  # type: ignore[attr-defined]
    admitted.needs = "operator" if operator else scope or "anybody"  # type: ignore[attr-defined]
    # Recorded before the answer is sent, so that who has it finds it in the log.
    return Depends(admitted, scope="function" if audit else None)


async def marks(request: Request, *parts: bytes) -> tuple[str, str]:
    """Idempotency key and fingerprint of a request; of its whole body where no parts are given."""
    key = idempotency_key(request.scope["headers"])
    if not key:
        return "", ""
    hashed = parts or (await request.body(), str(request.query_params).encode())
    return key, fingerprint(request.method, request.url.path, *hashed)


Services = Annotated[Clients, Depends(clients)]
Admission = Annotated[Gate, Depends(gate)]
Options = Annotated[GatewaySection, Depends(section)]
Limit = Annotated[int, Query(ge=1, le=200, description="How many items")]
Cursor = Annotated[str, Query(max_length=512, description="next_cursor of the page before")]


FILTER = (
    "What the metadata must be like, as JSON: {op, field, value} with eq ne gt gte lt lte, and in nin of a list; "
    "{op, filters} with and or; {op, filter} with not. A field that is missing, or of another type, equals nothing and "
    "compares with nothing."
)


def iso(stamp: Timestamp) -> str:
    """A time as ISO 8601 with Z."""
    at: datetime = stamp.ToDatetime(UTC)
    return at.isoformat().replace("+00:00", "Z")


def iso_or_none(message: Any, field: str) -> str | None:
    """A time that may be unset."""
    return iso(getattr(message, field)) if message.HasField(field) else None


def page(items: list[Any], next_cursor: str) -> dict[str, Any]:
    """A list."""
    return {"data": items, "next_cursor": next_cursor or None}


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a short list: without a limit all of it, from the cursor on."""

    limit: Annotated[int | None, Query(ge=1, le=200, description="How many items; all, if it is not given")] = None
    cursor: Cursor = ""

    def of(self, items: list[dict[str, Any]], *key: str, newest_first: bool = False) -> dict[str, Any]:
        """The page of a list that comes whole, in the order of `key`: fields (texts, whole numbers) by which its items
        differ. A page begins behind the place where the one before ended, whether that item is still there or not.
        InvalidCursor.
        """

        def place(item: dict[str, Any]) -> tuple[str | int, ...]:
            return tuple(item[field] for field in key)

        rows = sorted(items, key=place, reverse=newest_first)
        if self.cursor:
            last = decode_cursor(self.cursor, len(key))
            try:
                rows = [row for row in rows if (place(row) < last if newest_first else place(row) > last)]
            except TypeError as error:
                raise InvalidCursor from error
        some = rows if self.limit is None else rows[: self.limit]
        return page(some, encode_cursor(place(some[-1])) if len(some) < len(rows) else "")


Paged = Annotated[Part, Depends()]
