"""Speech in and out, in OpenAI's shapes."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from aisp.speech.v1 import speech_service_pb2 as pb
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile

from gateway.admission import Call, Work
from gateway.clients import PART_BYTES
from gateway.errors import BadBody, BodyTooLarge, UnsupportedMediaType
from gateway.routes import estimates
from gateway.routes.common import AUTHENTICATED, Admission, Options, Services, StrictRoute, managed, marks, problems
from gateway.routes.raw import wrong
from gateway.routes.subtitles import as_srt, as_vtt
from gateway.routes.uploads import digest_of, milliseconds_of, name_of, parts_of

router = APIRouter(route_class=StrictRoute, prefix="/v1/audio", tags=["speech"])

FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
MULTIPART_OVERHEAD = 64 * 1024
TRANSCRIPTION_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "model"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
                        "model": {"type": "string", "examples": ["local/whisper-tiny.en"]},
                        "language": {"type": "string"},
                        "prompt": {"type": "string"},
                        "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
                        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
                        "timestamp_granularities[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["word", "segment"]},
                        },
                    },
                }
            }
        },
    }
}


class SpeechRequest(BaseModel):
    """A text to speak."""

    model_config = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"model": "local/piper", "input": "Hello.", "voice": "joe"}]}
    )

    model: Annotated[str, Field(min_length=1, max_length=200)]
    input: Annotated[str, Field(min_length=1, max_length=100_000)]
    voice: Annotated[str, Field(max_length=64)] = ""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    stream_format: Literal["audio"] = "audio"


@router.post(
    "/transcriptions",
    responses=AUTHENTICATED | problems(400, 404, 413, 415),
    operation_id="transcribe",
    openapi_extra=TRANSCRIPTION_BODY,
    response_class=JSONResponse,
)
async def transcribe(request: Request, services: Services, gate: Admission, options: Options) -> Response:
    """Transcribes a file."""
    request.state.caller.require("inference")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UnsupportedMediaType("The body must be multipart/form-data.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > options.max_audio_bytes + MULTIPART_OVERHEAD:
        raise BodyTooLarge(f"The file is larger than {options.max_audio_bytes} bytes.")
    async with request.form(max_files=1, max_fields=20) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise wrong("file", "is missing")
        if (file.size or 0) > options.max_audio_bytes:
            raise BodyTooLarge(f"The file is larger than {options.max_audio_bytes} bytes.")
        if form.get("stream") == "true":
            raise wrong("stream", "is not supported for transcriptions")
        wanted = str(form.get("response_format") or "json")
        if wanted not in FORMATS:
            raise wrong("response_format", f"must be one of {', '.join(FORMATS)}")
        settings = _settings(form, file)
        key = await marks(request, settings.SerializeToString(), await digest_of(file))
        work = estimates.transcription(settings.model, await milliseconds_of(file))
        async with gate.admitted(request.scope["state"], "", work, key) as call:
            transcript = await services.speech.TranscribeAudio(_requests(settings, file), **call.options)
            call.use(transcript.usage)
    return _rendered(transcript, wanted, words=settings.word_timestamps)


@router.post(
    "/speech",
    responses=AUTHENTICATED | problems(400, 404, 413) | {200: {"content": {"audio/*": {}}, "description": "Audio"}},
    operation_id="speak",
    response_class=StreamingResponse,
)
async def speak(body: SpeechRequest, request: Request, services: Services, gate: Admission) -> Response:
    """Speaks a text; the audio comes as it is made."""
    request.state.caller.require("inference")
    wire = pb.SynthesizeSpeechRequest(
        model=body.model,
        input=body.input,
        voice=body.voice,
        format=pb.AudioFormat.Value(f"AUDIO_FORMAT_{body.response_format.upper()}"),
        speed=body.speed,
    )
    key, work = await marks(request), estimate(body)

    async def parts() -> AsyncGenerator[pb.SynthesizeSpeechResponse, None]:
        async with gate.admitted(request.scope["state"], "", work, key) as call:
            async with aclosing(services.speech.SynthesizeSpeech(wire, **call.options)) as spoken:
                async for part in spoken:
                    call.began(part)
                    if part.WhichOneof("part") == "usage":
                        call.use(part.usage)
                    yield part

    spoken = parts()
    # What fails before the first part is an ordinary error, with its status.
    first = await anext(spoken, None)
    if first is None or first.WhichOneof("part") != "started":
        raise BadBody("There is nothing to say in this text.")

    async def audio() -> AsyncIterator[bytes]:
        async with aclosing(spoken):
            async for part in spoken:
                if part.audio:
                    yield part.audio

    return StreamingResponse(audio(), media_type=first.started.media_type)


def estimate(asked: SpeechRequest) -> Work:
    """What a text that is spoken is reserved as."""
    return estimates.speech(asked.model, asked.input)


@router.get("/voices", responses=AUTHENTICATED, operation_id="listVoices")
async def voices(services: Services, call: Call = managed("")) -> dict[str, Any]:
    """The voices; the first is the default."""
    found = await services.speech.ListVoices(pb.ListVoicesRequest(), context=call.context)
    rows = [
        {"id": voice.id, "name": voice.name, "language": voice.language, "model": voice.model} for voice in found.voices
    ]
    return {"object": "list", "data": rows}


def _settings(form: Any, file: UploadFile) -> pb.TranscriptionSettings:
    granularities = [str(item) for item in form.getlist("timestamp_granularities[]")]
    model = str(form.get("model") or "")
    if not 1 <= len(model) <= 200:
        raise wrong("model", "is missing")
    try:
        temperature = float(str(form.get("temperature") or 0))
    except ValueError as error:
        raise wrong("temperature", "must be a number from 0 to 1") from error
    return pb.TranscriptionSettings(
        model=model,
        file_name=name_of(file),
        language=str(form.get("language") or "")[:16],
        prompt=str(form.get("prompt") or ""),
        temperature=temperature,
        word_timestamps="word" in granularities,
    )


async def _requests(settings: pb.TranscriptionSettings, file: UploadFile) -> AsyncIterator[pb.TranscribeAudioRequest]:
    yield pb.TranscribeAudioRequest(settings=settings)
    async for part in parts_of(file, PART_BYTES):
        yield pb.TranscribeAudioRequest(audio=part)


def _rendered(transcript: pb.TranscribeAudioResponse, wanted: str, *, words: bool) -> Response:
    seconds = transcript.duration_milliseconds / 1000
    usage = {"type": "duration", "seconds": round(seconds)}
    match wanted:
        case "text":
            return PlainTextResponse(transcript.text + "\n")
        case "srt":
            return PlainTextResponse(as_srt(transcript.segments))
        case "vtt":
            return PlainTextResponse(as_vtt(transcript.segments), media_type="text/vtt")
        case "json":
            return JSONResponse({"text": transcript.text, "usage": usage})
    document: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": seconds,
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
        "usage": usage,
    }
    if words:
        document["words"] = [
            {"word": word.text.strip(), "start": word.start_milliseconds / 1000, "end": word.end_milliseconds / 1000}
            for segment in transcript.segments
            for word in segment.words
        ]
    return JSONResponse(document)


def _segment(segment: pb.Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "seek": segment.seek,
        "start": segment.start_milliseconds / 1000,
        "end": segment.end_milliseconds / 1000,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.average_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_probability,
    }
