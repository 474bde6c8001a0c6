"""The speech service with the real Piper and the real Whisper, behind a real wire."""

import io
import os
import re
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest
from aisp.common.v1 import usage_pb2
from aisp.speech.v1 import speech_service_pb2 as pb
from aisp.speech.v1.speech_service_pb2_grpc import SpeechServiceStub
from pydantic import SecretStr

from chassis.context import RequestContext
from chassis.errors import InvalidArgument, NotFound
from chassis.settings import RedisSettings, WireSettings
from speech_service.adapters.worker_process import WorkerProcess
from speech_service.app import compose
from speech_service.settings import Settings, SpeechSection
from tests.integration.conftest import ROOT, Serve

MODELS = Path(os.environ.get("AI_PLATFORM_MODELS_DIR", ".data/models"))
CONTEXT = RequestContext("r", tenant_id="t")
TEXT = "The quick brown fox jumps over the lazy dog. Speech goes in and out."

pytestmark = pytest.mark.skipif(not (MODELS / "piper").exists(), reason="no model files: run `make models`")


@pytest.fixture
async def stub(valkey: RedisSettings, serve: Serve) -> AsyncIterator[SpeechServiceStub]:
    settings = Settings(
        redis=valkey,
        models_dir=MODELS,
        speech=SpeechSection(max_audio_bytes=3_000_000, max_audio_seconds=60),
        wire=WireSettings(secret=SecretStr(ROOT.decode())),
    )
    async with serve("speech_service", settings, compose) as channel:
        yield SpeechServiceStub(channel)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


async def speak(
    stub: SpeechServiceStub, audio_format: str = "WAV", **fields: Any
) -> tuple[bytes, list[pb.SynthesizeSpeechResponse]]:
    request = pb.SynthesizeSpeechRequest(**({"input": TEXT} | fields), format=f"AUDIO_FORMAT_{audio_format}")
    parts = [part async for part in stub.SynthesizeSpeech(request, context=CONTEXT)]
    return b"".join(part.audio for part in parts), parts


async def transcribe(stub: SpeechServiceStub, audio: bytes, **settings: Any) -> pb.TranscribeAudioResponse:
    async def requests() -> AsyncIterator[pb.TranscribeAudioRequest]:
        yield pb.TranscribeAudioRequest(settings=pb.TranscriptionSettings(**settings))
        for start in range(0, len(audio), 65_536):
            yield pb.TranscribeAudioRequest(audio=audio[start : start + 65_536])

    answer: pb.TranscribeAudioResponse = await stub.TranscribeAudio(requests(), context=CONTEXT)
    return answer


async def test_what_is_spoken_is_understood(stub: SpeechServiceStub) -> None:
    audio, parts = await speak(stub, voice="alloy")
    assert parts[0].started.voice == "joe"
    assert parts[-1].usage.lines[0].amount == len(TEXT)
    with wave.open(io.BytesIO(audio)) as file:
        seconds = file.getnframes() / file.getframerate()
    answer = await transcribe(stub, audio, word_timestamps=True, language="en")
    # A small ear mishears a word now and then.
    assert len(words(TEXT) & words(answer.text)) >= 0.75 * len(words(TEXT))
    assert answer.duration_milliseconds == pytest.approx(seconds * 1000, abs=50)
    assert answer.segments[0].words[1].text.strip()
    line = answer.usage.lines[0]
    assert (line.unit, line.amount) == (usage_pb2.UNIT_AUDIO_MILLISECONDS, answer.duration_milliseconds)


async def test_a_fresh_voice_says_the_same_in_the_same_way() -> None:
    said = []
    for _ in range(2):
        arguments = [str(MODELS / "piper" / "joe.onnx")]
        worker = WorkerProcess("speech_service.adapters.piper_worker", arguments, queue=1, idle_seconds=60, seconds=60)
        parts = [part async for part in worker.call({"sentences": ["One two three."], "speed": 1.0})]
        await worker.stop()
        said.append([part for part in parts if isinstance(part, bytes)])
    assert said[0] == said[1]
    assert said[0]


@pytest.mark.parametrize("audio_format", ["MP3", "OPUS", "AAC", "FLAC"])
async def test_every_format_can_be_read_again(stub: SpeechServiceStub, audio_format: str) -> None:
    audio, parts = await speak(stub, audio_format, input="One two three.")
    assert parts[0].started.media_type.startswith("audio/")
    container: Any
    with av.open(io.BytesIO(audio)) as container:
        samples: float = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert 0.5 < samples < 5


async def test_raw_samples_are_24_khz_and_speed_shortens(stub: SpeechServiceStub) -> None:
    normal, _ = await speak(stub, "PCM", input="One two three four five.")
    fast, _ = await speak(stub, "PCM", input="One two three four five.", speed=2.0)
    assert 0.5 < len(normal) / 48_000 < 6
    assert len(fast) < 0.75 * len(normal)


async def test_silence_is_not_made_into_words(stub: SpeechServiceStub) -> None:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * 5))
    assert (await transcribe(stub, sink.getvalue())).text == ""


@pytest.mark.parametrize(
    ("audio", "settings", "reason"),
    [
        (b"", {}, "BAD_AUDIO"),
        (b"this is not audio at all" * 100, {}, "BAD_AUDIO"),
        (bytes(3_100_000), {}, "AUDIO_TOO_LARGE"),
        (b"x", {"language": "de"}, "BAD_REQUEST"),
        (b"x", {"temperature": 3}, "BAD_REQUEST"),
    ],
)
async def test_what_cannot_be_transcribed_is_refused_with_a_reason(
    stub: SpeechServiceStub, audio: bytes, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await transcribe(stub, audio, **settings)
    assert caught.value.reason == reason


async def test_unknown_voices_models_and_long_texts_are_refused(stub: SpeechServiceStub) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await speak(stub, voice="darth")
    assert caught.value.reason == "VOICE_NOT_FOUND"
    with pytest.raises(NotFound):
        await speak(stub, model="local/whisper-tiny.en")
    with pytest.raises(InvalidArgument):
        await speak(stub, input="x" * 4097)
