"""A question is embedded while its collection is looked up: once, and paid where its vector was used."""

import asyncio
from uuid import uuid4

import pytest

from rag_service.domain.collections import CollectionChange
from rag_service.domain.errors import CollectionNotFound
from rag_service.domain.search import SearchMode, Seeking
from rag_service.domain.usage import Tally
from rag_service.policy.filters import parse
from tests.integration.test_answers import Desk, desk  # noqa: F401  # a fixture

QUESTION = "How many litres does the Zephyr pump deliver?"


class Counted:
    """The desk's model, which counts the questions; one with `refuse` in it fails."""

    def __init__(self, desk: Desk) -> None:  # noqa: F811  # the fixture's name
        self.asked = 0
        self._inner = desk.model.embed_query
        desk.model.embed_query = self.embed_query  # type: ignore[method-assign]  # counted

    async def embed_query(self, model: str, text: str, tally: Tally) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if "refuse" in text:
            raise RuntimeError(text)
        return await self._inner(model, text, tally)


async def asked(desk: Desk, **how: object) -> tuple[list[str], int]:  # noqa: F811  # likewise
    """(the titles found, calls that are paid)."""
    tally = Tally()
    seeking = Seeking(**({"query": QUESTION} | how))  # type: ignore[arg-type]  # a test's
    found = await desk.search.find(desk.asker.tenant_id, seeking, tally)
    assert all(line.stage == "search" for line in tally.lines)
    return [passage.title for passage in found.passages], len(tally.lines)


async def test_a_question_is_embedded_once_and_paid_once(desk: Desk) -> None:  # noqa: F811
    counted = Counted(desk)
    first = await asked(desk, mode=SearchMode.HYBRID)
    assert first[0][0] == "pump"
    assert first[1] == counted.asked == 1
    for times in (2, 3):
        assert await asked(desk, mode=SearchMode.HYBRID) == first
        assert counted.asked == times
    narrow = parse('{"op": "eq", "field": "no such", "value": 1}')
    assert await asked(desk, filter=narrow) == ([], 0)
    assert counted.asked == 3, "a filter that lets nothing through needs no model"


async def test_what_is_searched_by_words_alone_pays_for_no_vector(desk: Desk) -> None:  # noqa: F811
    counted = Counted(desk)
    for _ in range(2):
        assert (await asked(desk, mode=SearchMode.LEXICAL))[1] == counted.asked == 0
    # What was begun for a default that has changed meanwhile is given up.
    await desk.collections.change(desk.asker.tenant_id, "", CollectionChange(default_mode=SearchMode.LEXICAL))
    for _ in range(2):
        titles, paid = await asked(desk)
        assert titles[0] == "pump"
        assert paid == 0
        assert counted.asked == 1


async def test_what_fails_fails_the_same_where_it_was_begun_before(desk: Desk) -> None:  # noqa: F811
    Counted(desk)
    for mode in (SearchMode.DENSE, SearchMode.HYBRID, SearchMode.HYBRID):
        with pytest.raises(RuntimeError, match="refuse"):
            await asked(desk, query="refuse this", mode=mode)
    with pytest.raises(CollectionNotFound):
        await asked(desk, collection="nowhere")


async def test_until_it_is_admitted_a_search_reads_its_collection_and_asks_nobody(desk: Desk) -> None:  # noqa: F811
    counted = Counted(desk)
    for mode in SearchMode:
        before, tally = counted.asked, Tally()
        admission = asyncio.get_running_loop().create_future()
        seeking = Seeking(QUESTION, mode=mode)
        searching = asyncio.create_task(desk.search.find(desk.asker.tenant_id, seeking, tally, admission))
        await looked_up(desk)
        assert not searching.done()
        assert (counted.asked, tally.lines) == (before, [])
        admission.set_result(None)
        assert (await searching).passages[0].title == "pump"
        assert counted.asked == before + (mode is not SearchMode.LEXICAL)


async def test_a_search_that_is_refused_leaves_nothing(desk: Desk) -> None:  # noqa: F811
    """The collection that every tenant has is made for who is admitted."""
    counted, stranger = Counted(desk), str(uuid4())
    admission = asyncio.get_running_loop().create_future()
    searching = asyncio.create_task(desk.search.find(stranger, Seeking(QUESTION), Tally(), admission))
    await looked_up(desk)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert counted.asked == 0
    assert await desk.collections.there(stranger, "") is None


async def looked_up(desk: Desk) -> None:  # noqa: F811
    """Long enough for whoever began before to have read, too."""
    for _ in range(3):
        await desk.collections.there(desk.asker.tenant_id, "")
