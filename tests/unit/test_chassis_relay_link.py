"""The relay's frames and links: bytes that are cut anywhere, that make no sense, from nobody one knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.context import Keyring, Signer
from chassis.relay import frames
from chassis.relay.frames import BadFrame, Ended, Opened
from chassis.relay.link import Link
from tests.standins.echo_service import CALLING, NAME, ROOT, SERVICE, Echo, Served, served


def hello(keyring: Keyring | None = None) -> bytes:
    """How a client greets."""
    signed = Signer(keyring or Keyring("gateway", root=ROOT.encode()), NAME).sign(CALLING, frames.METHOD)
    return frames.bare(frames.HELLO, body=frames.MAGIC + signed)


@asynccontextmanager
async def dialled(service: Served) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the relay's socket, on which a test says what it likes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.relay.port)
    yield reader, writer
    writer.close()


async def heard(reader: asyncio.StreamReader, most: int = 100) -> list[tuple[int, int, bytes]]:
    """Frames, until there are so many or none comes."""
    found: list[tuple[int, int, bytes]] = []
    with suppress(TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(1):
            while len(found) < most:
                size, call, kind = frames.read_head(await reader.readexactly(frames.HEAD_BYTES), 0)
                found.append((call, kind, await reader.readexactly(size)))
    return found


METADATA = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["a", "b-c"]), st.text(max_size=20)),
        st.tuples(st.just("x-bin"), st.binary(max_size=20)),
    )
)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.text(max_size=40), METADATA, st.binary(max_size=50))
def test_an_opening_travels_unchanged(
    timeout_ms: int, granted: int, method: str, metadata: list[Any], payload: bytes
) -> None:
    opened = Opened(timeout_ms, granted, method, tuple(metadata), payload)
    assert frames.read_open(frames.opening(7, opened)[frames.HEAD_BYTES :]) == opened


@given(st.integers(0, 16), METADATA, st.binary(max_size=50))
def test_an_ending_travels_unchanged(code: int, metadata: list[Any], payload: bytes) -> None:
    ended = Ended(code, tuple(metadata), payload)
    assert frames.read_end(frames.ending(7, ended)[frames.HEAD_BYTES :]) == ended


@given(st.binary(max_size=60))
def test_what_is_no_frame_is_told_as_such(body: bytes) -> None:
    for read in (frames.read_open, frames.read_end, frames.read_credit):
        with suppress(BadFrame):
            read(body)


class Taker:
    """The side of a link that remembers."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, bytes]] = []
        self.losses = 0

    def take(self, call: int, kind: int, body: bytes) -> None:
        self.taken.append((call, kind, body))

    def lost(self) -> None:
        self.losses += 1


class Wire(asyncio.Transport):
    """What a link writes, without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborts = 0

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborts += 1


def linked() -> tuple[Link, Taker, Wire]:
    link, taker, wire = Link(60), Taker(), Wire()
    link.side = taker
    link.connection_made(wire)
    return link, taker, wire


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.integers(1, 400), min_size=1))
async def test_frames_arrive_whole_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    link, taker, _ = linked()
    sent = [(number, frames.DATA, body) for number, body in enumerate(bodies)]
    data = b"".join(frames.bare(kind, call, body) for call, kind, body in sent)
    at = index = 0
    while at < len(data):
        size = cuts[index % len(cuts)]
        link.data_received(data[at : at + size])
        at, index = at + size, index + 1
    link.connection_lost(None)
    assert taker.taken == sent
    assert taker.losses == 1


async def test_a_frame_may_be_large_only_once_the_other_side_is_known() -> None:
    for known, size, accepted in ((False, 5000, False), (True, 5000, True), (True, 33 * 1024 * 1024, False)):
        link, _, wire = linked()
        if known:
            link.greeted()
        link.data_received(frames.bare(frames.DATA, 1, bytes(size))[: frames.HEAD_BYTES])
        assert wire.aborts == int(not accepted)
        link.connection_lost(None)


async def test_a_silent_link_is_asked_and_given_up() -> None:
    link, _, wire = linked()

    async def beats(count: int) -> None:
        for _ in range(count):
            link._timer.cancel()
            link._beat()
        await asyncio.sleep(0)

    await beats(2)
    assert wire.written == [frames.bare(frames.PING)]
    link.data_received(frames.bare(frames.PONG))
    await beats(3)
    assert (len(wire.written), wire.aborts) == (2, 0)
    await beats(1)
    assert wire.aborts == 1
    link.connection_lost(None)


async def test_a_question_is_answered() -> None:
    link, taker, wire = linked()
    link.data_received(frames.bare(frames.PING))
    await asyncio.sleep(0)
    assert wire.written == [frames.bare(frames.PONG)]
    assert taker.taken == []
    link.connection_lost(None)


async def test_frames_that_make_no_sense_are_passed_over() -> None:
    async with served(Echo()) as service, dialled(service) as (reader, writer):
        writer.write(hello())
        for kind in (frames.CANCEL, frames.DATA, frames.REFUSE, 99):
            writer.write(frames.bare(kind, 7))
        writer.write(frames.credit(7, 10))
        writer.writelines([frames.opening(1, Opened(0, 0, "/a/b", (), b""))] * 2)
        assert [(call, kind) for call, kind, _ in await heard(reader, 3)] == [
            (0, frames.HELLO),
            (1, frames.REFUSE),
            (1, frames.END),
        ]


STRANGERS = {
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no greeting": frames.opening(1, Opened(0, 0, f"/{SERVICE}/Unary", (), b"")),
    "another version": frames.bare(frames.HELLO, body=b"aisp\xff" + bytes(80)),
    "another's signature": hello(Keyring("gateway", root=b"of another installation, as long as")),
    "a broken opening": hello() + frames.bare(frames.OPEN, 1, b"abc"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", list(STRANGERS))
async def test_a_stranger_is_not_heard_out(name: str) -> None:
    async with served(Echo(), relay={"connect_seconds": 0.2}) as service, dialled(service) as (reader, writer):
        writer.write(STRANGERS[name])
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(100_000), 2)
            assert await asyncio.wait_for(reader.read(), 2) == b""
