"""Answers that are given to who takes them as they come: held back, broken off, ended by who takes."""

import asyncio
from contextlib import nullcontext, suppress

import pytest

from chassis.flow import Enough
from chassis.http import Broken, Http
from chassis.http.connection import Take
from tests.promptness import PATIENCE, PROMPT
from tests.standins.http_server import FORMS, answering, client


async def poured(http: Http, url: str, take: Take, seconds: float = 2) -> None:
    with await http.post(url, {}, b"{}", first_byte=PATIENCE) as response:
        await response.pour(take, seconds)


class TestPouring:
    async def test_all_of_an_answer_and_the_connection_is_used_again(self) -> None:
        for form in FORMS.values():
            async with answering(form) as server, client() as http:
                for _ in range(2):
                    took: list[bytes] = []
                    await poured(http, server.url, took.append)
                    assert b"".join(took) == b"hello"
                assert server.connections == 1

    async def test_what_came_before_a_break_is_given(self) -> None:
        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
            writer.close()

        took: list[bytes] = []
        async with answering(behave) as server, client() as http:
            with pytest.raises(Broken):
                await poured(http, server.url, took.append)
        assert b"".join(took) == b"hello"

    async def test_silence_ends_it(self) -> None:
        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
            for _ in range(4):
                await asyncio.sleep(0.05)
                writer.write(b"word")
            await asyncio.sleep(60)

        took: list[bytes] = []
        async with answering(behave) as server, client() as http:
            with pytest.raises(TimeoutError):
                await poured(http, server.url, took.append, 1)
        assert b"".join(took) == b"word" * 4

    @pytest.mark.parametrize(("error", "raised"), [(Enough(), None), (KeyError("x"), KeyError)])
    async def test_who_takes_may_end_it(self, error: Exception, raised: type[Exception] | None) -> None:
        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\nhello")
            with suppress(OSError):
                while True:
                    await asyncio.sleep(0.01)
                    writer.write(b"more")
                    await writer.drain()

        def take(data: bytes) -> None:
            raise error

        async with answering(behave) as server, client() as http:
            with pytest.raises(raised) if raised else nullcontext():
                await poured(http, server.url, take)
            await asyncio.wait_for(server.gone.wait(), PROMPT)

    async def test_who_does_not_read_holds_the_server_back(self) -> None:
        sent = 0

        async def behave(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * 2**20))
            for _ in range(64 * 16):
                writer.write(b"." * 2**16)
                await writer.drain()
                sent += 2**16

        hold: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        took = 0

        def take(data: bytes) -> asyncio.Future[None] | None:
            nonlocal took
            took += len(data)
            return None if hold.done() else hold

        async with answering(behave) as server, client() as http:
            # Longer than the time for a part: it is not the server that is slow.
            pouring = asyncio.create_task(poured(http, server.url, take, 1))
            await asyncio.sleep(1.3)
            assert took <= 2**20
            assert sent < 32 * 2**20
            hold.set_result(None)
            await pouring
            assert took == 64 * 2**20
