"""Places that tenants share."""

import asyncio

import pytest

from rag_service.adapters.turns import Turns


class Desk:
    """Who is at work, in the order of their coming."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.at_work: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def comes(self, *names: str) -> None:
        """Of the tenant that its first letter names."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._work(name))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _work(self, name: str) -> None:
        async with self.turns.of(name[0]):
            self.at_work.append(name)
            await self.ends[name].wait()
        self.at_work.remove(name)

    async def ends_work(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)


@pytest.mark.parametrize("places", [2, 3, 5])
async def test_a_tenant_with_much_to_do_leaves_a_place_for_who_comes_next(places: int) -> None:
    desk = Desk(places)
    await desk.comes(*(f"a{number}" for number in range(9)))
    assert len(desk.at_work) == places - 1
    await desk.comes("b1")
    assert desk.at_work[-1] == "b1"


async def test_who_holds_the_fewest_is_next_and_of_equals_who_has_waited() -> None:
    desk = Desk(3)
    await desk.comes("a1", "a2", "a3", "b1", "b2", "c1")
    assert desk.at_work == ["a1", "a2", "b1"]
    for ended, comes in (("a1", "c1"), ("a2", "a3"), ("b1", "b2")):
        await desk.ends_work(ended)
        assert desk.at_work[-1] == comes
    assert len(desk.at_work) == 3


async def test_who_goes_away_while_it_waits_or_when_its_turn_comes_takes_no_place() -> None:
    desk = Desk(2)
    await desk.comes("a1", "b1", "b2", "c1", "c2")
    desk.tasks["b2"].cancel()
    desk.ends["a1"].set()
    await asyncio.sleep(0)
    desk.tasks["c1"].cancel()
    await asyncio.gather(desk.tasks["b2"], desk.tasks["c1"], return_exceptions=True)
    await asyncio.sleep(0)
    assert desk.at_work == ["b1", "c2"]


async def test_one_place_goes_round() -> None:
    desk = Desk(1)
    await desk.comes("a1", "a2", "b1")
    for ended, comes in (("a1", "b1"), ("b1", "a2")):
        await desk.ends_work(ended)
        assert desk.at_work == [comes]
