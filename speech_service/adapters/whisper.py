"""Transcriber with the local Whisper worker."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

from speech_service.adapters.worker_process import WorkerProcess, installed
from speech_service.domain import (
    AudioTooLarge,
    BadAudio,
    EngineUnavailable,
    Health,
    ProviderNotConfigured,
    Segment,
    SpeechModel,
    Transcript,
    TranscriptionSettings,
    Word,
)


class Whisper:
    """Asks the worker."""

    def __init__(self, worker: WorkerProcess, model: Path, max_seconds: float) -> None:
        self._worker = worker
        self._model = model
        self._max_seconds = max_seconds

    def health(self) -> Health:
        there = (self._model / "model.bin").exists() and installed("faster_whisper")
        return Health.OK if there else Health.NOT_CONFIGURED

    async def transcribe(self, model: SpeechModel, audio: Path, settings: TranscriptionSettings) -> Transcript:
        if self.health() is not Health.OK:
            raise ProviderNotConfigured("The local Whisper is not installed: run `make models`.")
        request = {
            "path": str(audio),
            "language": settings.language,
            "prompt": settings.prompt,
            "temperature": settings.temperature,
            "words": settings.word_timestamps,
            "max_seconds": self._max_seconds,
        }
        async with aclosing(self._worker.call(request)) as parts:
            async for answer in parts:
                if isinstance(answer, dict):
                    return _transcript(answer)
        raise EngineUnavailable


def _transcript(answer: dict[str, Any]) -> Transcript:
    match answer.get("error"):
        case "bad_audio":
            raise BadAudio(metadata={"param": "file"})
        case "too_long":
            raise AudioTooLarge(f"The audio is longer than allowed ({answer['detail']}).", metadata={"param": "file"})
    segments = tuple(
        Segment(
            id=number,
            start_ms=_ms(row["start"]),
            end_ms=_ms(row["end"]),
            text=row["text"],
            average_logprob=row["avg_logprob"],
            no_speech_probability=row["no_speech_prob"],
            compression_ratio=row["compression_ratio"],
            temperature=row["temperature"],
            seek=row["seek"],
            tokens=tuple(row["tokens"]),
            words=tuple(Word(w["word"], _ms(w["start"]), _ms(w["end"]), w["probability"]) for w in row["words"]),
        )
        for number, row in enumerate(answer["segments"])
    )
    text = "".join(segment.text for segment in segments).strip()
    return Transcript(text, answer["language"], _ms(answer["seconds"]), segments)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
