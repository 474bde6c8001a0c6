"""How far the ledger is in the streams, where one task forgets it while another reads it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

from usage_service.service.ledger import Ledger


class Store:
    """Whose transactions take a while to end: `ending` is called then."""

    def __init__(self) -> None:
        self.reads = 0
        self.ending: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def platform(self) -> AsyncIterator["Store"]:
        yield self
        self.ending()

    async def positions(self) -> dict[int, str]:
        self.reads += 1
        return {1: f"{self.reads}-0"}


async def test_what_was_forgotten_while_it_was_read_is_read_again_by_the_next() -> None:
    store = Store()
    ledger = Ledger(cast(Any, store), cast(Any, None), cast(Any, None), lambda: datetime.now(UTC))
    store.ending = ledger.forget_positions
    assert await ledger.positions() == {1: "1-0"}
    store.ending = lambda: None
    assert [await ledger.positions() for _ in range(2)] == [{1: "2-0"}] * 2
