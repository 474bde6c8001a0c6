"""Synthesizer with the local Piper worker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from speech_service import policy
from speech_service.adapters.encoder import Encoder, encoder
from speech_service.adapters.worker_process import WorkerProcess, installed
from speech_service.domain import AudioFormat, Health, ProviderNotConfigured, SpeechModel


class Piper:
    """Asks the worker, and encodes what it answers."""

    def __init__(self, worker: WorkerProcess, voice: Path) -> None:
        self._worker = worker
        self._voice = voice

    def health(self) -> Health:
        there = self._voice.exists() and installed("piper")
        return Health.OK if there else Health.NOT_CONFIGURED

    async def speak(
        self, model: SpeechModel, text: str, voice: str, audio_format: AudioFormat, speed: float
    ) -> AsyncGenerator[bytes, None]:
        if self.health() is not Health.OK:
            raise ProviderNotConfigured(
                "The local Piper is not installed: install the extra `piper`, run `make models`."
            )
        request = {"sentences": policy.sentences(text), "speed": speed}
        file: Encoder | None = None
        async with aclosing(self._worker.call(request)) as parts:
            async for part in parts:
                if isinstance(part, bytes):
                    file = file or encoder(audio_format, int(self._worker.hello["sample_rate"]))
                    if data := await asyncio.to_thread(file.feed, part):
                        yield data
        if file is not None and (data := await asyncio.to_thread(file.finish)):
            yield data
