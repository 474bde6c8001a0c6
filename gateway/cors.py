"""Pages of other origins: what a browser asks before they call, and what they may read of answers.

Only where origins are set; a call that comes from no page goes by untouched.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware

from gateway.edge import Application, Receive, Scope, Send
from gateway.sse import WRITE

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TOLD = (
    "x-request-id", "request-id", "retry-after", "x-should-retry", "ratelimit", "ratelimit-policy", "x-aisp-budget",
    *(f"x-ratelimit-{what}-{kind}" for kind in ("requests", "tokens") for what in ("limit", "remaining", "reset")),
    "x-aisp-provider", "x-aisp-model", "x-aisp-attempts", "x-aisp-cache", "x-aisp-tokens", "age",
    "idempotency-replayed", "deprecation", "sunset", "openai-poll-after-ms",
)  # fmt: skip
"""Headers of answers that a page may read."""


class Cors:
    """Around the edge, which knows nobody who asks beforehand: a browser does so without credentials."""

    def __init__(self, edge: Application, origins: Sequence[str]) -> None:
        self._edge = edge
        # Any header may be sent: the official SDKs have a dozen of their own. Who calls is told by headers, never by
        # cookies, so that a page has no more than what its user gave it.
        self._marked = CORSMiddleware(
            edge, allow_origins=origins, allow_methods=METHODS, allow_headers=["*"], expose_headers=TOLD
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not any(name == b"origin" for name, _ in scope["headers"]):
            await self._edge(scope, receive, send)
            return
        # What is written past ASGI's messages would not be marked.
        scope.get("extensions", {}).pop(WRITE, None)
        await self._marked(scope, receive, send)
