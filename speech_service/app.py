"""The composition root of the speech service: the only place where its concrete classes meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aisp.speech.v1.speech_service_pb2_grpc import add_SpeechServiceServicer_to_server

from chassis import valkey
from chassis.idempotency import IdempotencyInterceptor, ValkeyAnswerStore
from chassis.server import App, run_server
from speech_service.adapters.openai import OpenAISpeech
from speech_service.adapters.piper import Piper
from speech_service.adapters.whisper import Whisper
from speech_service.adapters.worker_process import WorkerProcess
from speech_service.service import Speech
from speech_service.servicer import SpeechServicer
from speech_service.settings import Settings


@asynccontextmanager
async def compose(settings: Settings) -> AsyncIterator[App]:
    """The service; its workers start when they are first needed, and end with it."""
    section = settings.speech
    models = settings.models_directory
    whisper_model, piper_voice = models / "whisper" / "tiny.en", models / "piper" / "joe.onnx"
    worker = partial(
        WorkerProcess, queue=section.queue, idle_seconds=section.idle_seconds, seconds=section.timeout_seconds
    )
    whisper = worker("speech_service.adapters.whisper_worker", [str(whisper_model), str(section.threads)])
    piper = worker("speech_service.adapters.piper_worker", [str(piper_voice)])
    key = settings.openai_api_key.get_secret_value()
    configured = bool(key) or "openai_base_url" in settings.model_fields_set
    openai = OpenAISpeech(settings.openai_base_url, key, configured=configured, seconds=section.timeout_seconds)
    speech = Speech(
        {"local": Whisper(whisper, whisper_model, section.max_audio_seconds), "openai": openai},
        {"local": Piper(piper, piper_voice), "openai": openai},
        section.max_input_characters,
    )
    store = settings.cache or settings.redis
    cache = valkey.connect(store, connect_seconds=1, reply_seconds=2)
    answers = ValkeyAnswerStore(cache)

    async def ready() -> None:
        """Workers are started by calls; each model's health is in the list of models."""

    try:
        yield App(
            register=partial(add_SpeechServiceServicer_to_server, SpeechServicer(speech, section.max_audio_bytes)),
            services=("aisp.speech.v1.SpeechService",),
            ready=ready,
            interceptors=(IdempotencyInterceptor(answers, settings.keyring("speech_service")),),
            erase=answers.erase,
        )
    finally:
        await asyncio.gather(whisper.stop(), piper.stop())
        await cache.aclose()


async def serve(settings: Settings) -> None:
    """Serves until told to stop."""
    await run_server("speech_service", settings, settings.speech, compose)
