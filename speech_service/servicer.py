"""SpeechService on the wire: protobuf <-> domain. Decides nothing."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from aisp.common.v1 import usage_pb2
from aisp.speech.v1 import speech_service_pb2 as pb
from aisp.speech.v1.speech_service_pb2_grpc import SpeechServiceServicer

from speech_service.domain import AudioFormat, AudioTooLarge, BadRequest, Segment, Transcript, TranscriptionSettings
from speech_service.service import Speech

FORMATS = {
    pb.AUDIO_FORMAT_UNSPECIFIED: AudioFormat.MP3,
    **{pb.AudioFormat.Value(f"AUDIO_FORMAT_{audio_format.name}"): audio_format for audio_format in AudioFormat},
}
MEDIA_TYPES = {
    AudioFormat.MP3: "audio/mpeg",
    AudioFormat.OPUS: "audio/ogg",
    AudioFormat.AAC: "audio/aac",
    AudioFormat.FLAC: "audio/flac",
    AudioFormat.WAV: "audio/wav",
    AudioFormat.PCM: "audio/pcm",
}


class SpeechServicer(SpeechServiceServicer):
    """Translates."""

    def __init__(self, speech: Speech, max_audio_bytes: int) -> None:
        self._speech = speech
        self._max_audio_bytes = max_audio_bytes

    async def TranscribeAudio(
        self, requests: AsyncIterator[pb.TranscribeAudioRequest], _: Any
    ) -> pb.TranscribeAudioResponse:
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("part") != "settings":
            raise BadRequest("The first part must be the settings.")
        wire = first.settings
        settings = TranscriptionSettings(
            wire.file_name, wire.language, wire.prompt, wire.temperature, wire.word_timestamps
        )
        model = self._speech.check(wire.model, settings)
        with tempfile.TemporaryDirectory(prefix="aisp-audio-") as directory:
            audio = Path(directory) / "audio"
            await self._receive(requests, audio)
            transcript = await self._speech.transcribe(model, audio, settings)
        line = _line(model.name, model.provider, usage_pb2.UNIT_AUDIO_MILLISECONDS, transcript.duration_ms)
        return _response(transcript, model.name, usage_pb2.Usage(lines=[line]))

    async def SynthesizeSpeech(
        self, request: pb.SynthesizeSpeechRequest, _: Any
    ) -> AsyncIterator[pb.SynthesizeSpeechResponse]:
        audio_format = FORMATS.get(request.format, AudioFormat.MP3)
        spoken = self._speech.speak(request.model, request.input, request.voice, audio_format, request.speed or 1.0)
        media_type, model = MEDIA_TYPES[audio_format], spoken.model
        begun = False
        async with aclosing(spoken.audio) as parts:
            async for part in parts:
                if not begun:
                    begun = True
                    started = pb.AudioStarted(media_type=media_type, model=model.name, voice=spoken.voice)
                    yield pb.SynthesizeSpeechResponse(started=started)
                yield pb.SynthesizeSpeechResponse(audio=part)
        line = _line(model.name, model.provider, usage_pb2.UNIT_CHARACTERS, len(request.input))
        yield pb.SynthesizeSpeechResponse(usage=usage_pb2.Usage(lines=[line]))

    async def ListVoices(self, _request: pb.ListVoicesRequest, _: Any) -> pb.ListVoicesResponse:
        voices = [
            pb.Voice(id=voice.id, name=voice.name, language=voice.language, model=voice.model)
            for voice in self._speech.voices()
        ]
        return pb.ListVoicesResponse(voices=voices)

    async def ListModels(self, _request: pb.ListModelsRequest, _: Any) -> pb.ListModelsResponse:
        models = [
            pb.Model(name=model.name, provider=model.provider, capabilities=model.does, health=health.value)
            for model, health in self._speech.models()
        ]
        return pb.ListModelsResponse(models=models)

    async def _receive(self, requests: AsyncIterator[pb.TranscribeAudioRequest], audio: Path) -> None:
        size = 0
        with audio.open("wb") as file:
            async for request in requests:
                size += len(request.audio)
                if size > self._max_audio_bytes:
                    raise AudioTooLarge(
                        f"The file is larger than {self._max_audio_bytes} bytes.", metadata={"param": "file"}
                    )
                file.write(request.audio)


def _line(model: str, provider: str, unit: Any, amount: int) -> usage_pb2.UsageLine:
    return usage_pb2.UsageLine(service="speech", model=model, provider=provider, unit=unit, amount=amount, attempt=1)


def _response(transcript: Transcript, model: str, usage: usage_pb2.Usage) -> pb.TranscribeAudioResponse:
    return pb.TranscribeAudioResponse(
        text=transcript.text,
        language=transcript.language,
        duration_milliseconds=transcript.duration_ms,
        segments=[_segment(segment) for segment in transcript.segments],
        usage=usage,
        model=model,
    )


def _segment(segment: Segment) -> pb.Segment:
    words = [
        pb.Word(
            text=word.text,
            start_milliseconds=word.start_ms,
            end_milliseconds=word.end_ms,
            probability=word.probability,
        )
        for word in segment.words
    ]
    return pb.Segment(
        id=segment.id,
        start_milliseconds=segment.start_ms,
        end_milliseconds=segment.end_ms,
        text=segment.text,
        average_logprob=segment.average_logprob,
        no_speech_probability=segment.no_speech_probability,
        compression_ratio=segment.compression_ratio,
        temperature=segment.temperature,
        seek=segment.seek,
        tokens=segment.tokens,
        words=words,
    )
