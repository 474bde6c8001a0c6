"""A server that refuses `stream_options` streams all the same: tried once more without what only we asked for."""

from dataclasses import replace

import orjson
import pytest

from llm_service.domain.calls import Answer, Call, Ending, Format, Out, Tokens
from llm_service.domain.errors import ProviderRefused
from llm_service.domain.models import Deployment, Health
from llm_service.service.learned import MOST_REMEMBERED, REMEMBERED_SECONDS, Learned
from llm_service.service.unasked import Unasked

HERE = Deployment("compatible", "m", id="here")
ENDING = Ending(Tokens(1, 0, 1), "stop")


def refused(message: str, status: str = "400", **metadata: str) -> ProviderRefused:
    return ProviderRefused(message, metadata={"provider_status": status, **metadata})


UNKNOWN = refused("Unrecognized request argument supplied: stream_options")


class Server:
    """Refuses what asks for usage."""

    def __init__(self, error: ProviderRefused = UNKNOWN) -> None:
        self.asked: list[bool] = []
        self.error = error

    def speaks(self, form: Format) -> bool:
        return form is Format.CHAT_COMPLETIONS

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        return Answer(b"whole", ENDING)

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        self.asked.append(call.asks_usage)
        if call.asks_usage or "stream_options" in orjson.loads(call.body):
            raise self.error
        return ENDING

    def health(self, deployment: Deployment) -> Health:
        return Health.OK


class Nowhere:
    started = False

    def write(self, events: bytes) -> None:
        raise NotImplementedError


def call(**fields: object) -> Call:
    return Call("m", orjson.dumps({"model": "m", "stream": True, **fields}))


class Scene:
    def __init__(self, error: ProviderRefused = UNKNOWN) -> None:
        self.now = 0.0
        self.server = Server(error)
        self.learned = Learned(lambda: self.now)
        self.model = Unasked(self.server, self.learned)

    async def stream(self, deployment: Deployment = HERE, **fields: object) -> list[bool]:
        """How the server was asked."""
        self.server.asked = []
        assert await self.model.stream(deployment, call(**fields), Nowhere()) == ENDING
        return self.server.asked


@pytest.mark.parametrize(
    "error",
    [
        UNKNOWN,
        refused("Extra inputs are not permitted", "422", param="stream_options"),
        refused("[{'loc': ('body', 'stream_options', 'include_usage')}]", "422"),
    ],
)
async def test_it_is_found_out_once_and_tried_again_after_a_while(error: ProviderRefused) -> None:
    scene = Scene(error)
    assert await scene.stream() == [True, False]
    assert await scene.stream() == [False]
    scene.now = REMEMBERED_SECONDS + 1
    assert await scene.stream() == [True, False]
    scene.learned.forget()
    assert await scene.stream() == [True, False]
    assert await scene.stream(replace(HERE, id="there")) == [True, False]


async def test_a_row_may_say_it() -> None:
    scene = Scene()
    assert await scene.stream(replace(HERE, without_stream_options=True)) == [False]


@pytest.mark.parametrize(
    "error", [refused("temperature is too high"), refused("stream_options", "404"), refused("no such model", "404")]
)
async def test_other_refusals_are_told(error: ProviderRefused) -> None:
    scene = Scene(error)
    with pytest.raises(ProviderRefused):
        await scene.stream()
    assert scene.server.asked == [True]


async def test_who_asks_for_it_is_refused_as_directly() -> None:
    scene = Scene()
    assert await scene.stream() == [True, False]
    for known in (True, False):
        with pytest.raises(ProviderRefused):
            await scene.stream(stream_options={"include_usage": True})
        assert scene.server.asked == [not known]
        scene.learned.forget()


async def test_what_is_remembered_is_bounded() -> None:
    learned = Learned(lambda: 0.0)
    for number in range(MOST_REMEMBERED + 10):
        learned.learn("x", replace(HERE, id=str(number)))
    assert len(learned._until) <= MOST_REMEMBERED
