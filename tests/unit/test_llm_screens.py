"""What is known of a tenant's guardrails, and for how long."""

import asyncio

import pytest

from chassis.database import DatabaseUnavailable
from llm_service.domain.guardrails import Action
from llm_service.service.screens import STALE_SECONDS
from tests.standins.guardrails import Rows, book, row

pytestmark = pytest.mark.usefixtures("leaping")


async def test_a_change_is_in_force_soon_and_a_lost_database_does_not_open_the_gate() -> None:
    now = 0.0
    rows = Rows(row(Action.REFUSE))
    known = book(rows, lambda: now)
    assert await known.of("t", "m") is not None
    rows.rows.clear()
    assert await known.of("t", "m") is not None
    now = 0.6
    assert await known.of("t", "m") is None
    rows.rows.append(row(Action.REFUSE))
    now = 1.2
    assert await known.of("t", "m") is not None
    rows.away, now = True, 2.0
    assert await known.of("t", "m") is not None
    now = 2.0 + STALE_SECONDS
    with pytest.raises(DatabaseUnavailable):
        await known.of("t", "m")
    with pytest.raises(DatabaseUnavailable):
        await known.of("nobody", "m")


async def test_many_calls_read_once_and_who_calls_often_waits_for_no_reading() -> None:
    now = 0.0
    rows = Rows(row(Action.REFUSE))
    known = book(rows, lambda: now)
    assert all(await asyncio.gather(*(known.of("t", "m") for _ in range(50))))
    assert rows.read == 1
    rows.rows.clear()
    now = 0.4
    # Not old yet, but soon: what is known is answered, and read again behind it.
    assert await known.of("t", "m") is not None
    assert rows.read == 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await known.of("t", "m") is None
    assert rows.read == 2
