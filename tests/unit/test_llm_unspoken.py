"""A server that turns out not to know a format is asked by translation; one that does not know a model is not."""

import pytest

from llm_service.domain.calls import Answer, Call, Ending, Format, Out, Tokens
from llm_service.domain.errors import ProviderRefused
from llm_service.domain.models import Deployment, Health
from llm_service.service.learned import REMEMBERED_SECONDS, Learned
from llm_service.service.unspoken import Perhaps, Without
from tests.standins.streams import read

HERE = Deployment("openai", "m")
CALL = Call("m", b"{}", Format.RESPONSES)
ENDING = Ending(Tokens(), "stop")


class Model:
    """Answers with its name, or refuses."""

    def __init__(self, name: bytes, refuses: dict[str, str] | None = None) -> None:
        self.calls = 0
        self._name = name
        self._refuses = refuses

    def speaks(self, _form: Format) -> bool:
        return True

    async def complete(self, _deployment: Deployment, _call: Call) -> Answer:
        self.calls += 1
        if self._refuses:
            raise ProviderRefused(metadata=self._refuses)
        return Answer(self._name, ENDING)

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        out.write((await self.complete(deployment, call)).body)
        return ENDING

    def health(self, _deployment: Deployment) -> Health:
        return Health.OK


async def heard(model: Perhaps, call: Call, *, stream: bool) -> bytes:
    if not stream:
        return (await model.complete(HERE, call)).body
    return b"".join([event async for event in read(model, HERE, call) if isinstance(event, bytes)])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_without_the_format_is_asked_by_translation_and_remembered(stream: bool) -> None:
    now = 0.0
    native = Model(b"native", {"provider_status": "404"})
    model = Perhaps(native, Model(b"translated"), Format.RESPONSES, Learned(lambda: now))
    assert [await heard(model, CALL, stream=stream) for _ in range(3)] == [b"translated"] * 3
    assert native.calls == 1
    now = REMEMBERED_SECONDS + 1
    assert await heard(model, CALL, stream=stream) == b"translated"
    assert native.calls == 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("told", "form"),
    [
        ({"provider_status": "404", "code": "model_not_found"}, Format.RESPONSES),
        ({"provider_status": "400"}, Format.RESPONSES),
        ({"provider_status": "404"}, Format.CHAT_COMPLETIONS),
    ],
)
async def test_any_other_refusal_is_one(told: dict[str, str], form: Format, stream: bool) -> None:
    model = Perhaps(Model(b"native", told), Model(b"translated"), Format.RESPONSES, Learned(lambda: 0.0))
    with pytest.raises(ProviderRefused):
        await heard(model, Call("m", b"{}", form), stream=stream)


async def test_what_is_spoken_is_not_translated() -> None:
    translated = Model(b"translated")
    model = Perhaps(Model(b"native"), translated, Format.RESPONSES, Learned(lambda: 0.0))
    assert await heard(model, CALL, stream=False) == await heard(model, CALL, stream=True) == b"native"
    assert translated.calls == 0
    assert not Without(Model(b""), Format.RESPONSES).speaks(Format.RESPONSES)
