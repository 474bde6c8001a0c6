"""Transcriber and Synthesizer with OpenAI (or a server like it), through the official SDK."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NoReturn

from speech_service.domain import (
    AudioFormat,
    EngineUnavailable,
    Health,
    ProviderNotConfigured,
    ProviderRefused,
    Segment,
    SpeechModel,
    Transcript,
    TranscriptionSettings,
    Word,
)

PART_BYTES = 64 * 1024


class OpenAISpeech:
    """Speaks to one provider. The SDK is imported when first used: it takes a second and 40 MB."""

    def __init__(self, base_url: str, api_key: str, *, configured: bool, seconds: float) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._configured = configured
        self._seconds = seconds
        self._client: Any = None

    def health(self) -> Health:
        return Health.OK if self._configured else Health.NOT_CONFIGURED

    async def transcribe(self, model: SpeechModel, audio: Path, settings: TranscriptionSettings) -> Transcript:
        client = self._connected()
        detailed = "word_timestamps" in model.does
        options: dict[str, Any] = {"response_format": "verbose_json" if detailed else "json"}
        if settings.word_timestamps:
            options["timestamp_granularities"] = ["word", "segment"]
        for name in ("language", "prompt", "temperature"):
            if value := getattr(settings, name):
                options[name] = value
        try:
            with audio.open("rb") as file:
                upload = (settings.file_name or "audio", file)
                answer = await client.audio.transcriptions.create(model=model.upstream, file=upload, **options)
        except Exception as error:  # noqa: BLE001  # the SDK's own tree, which is not imported at start
            _translate(error)
        return _transcript(answer.model_dump() if hasattr(answer, "model_dump") else {"text": str(answer)})

    async def speak(
        self, model: SpeechModel, text: str, voice: str, audio_format: AudioFormat, speed: float
    ) -> AsyncGenerator[bytes, None]:
        client = self._connected()
        try:
            async with client.audio.speech.with_streaming_response.create(
                model=model.upstream,
                input=text,
                voice=voice or "alloy",
                response_format=audio_format.value,
                speed=speed,
            ) as response:
                async for part in response.iter_bytes(PART_BYTES):
                    yield part
        except Exception as error:  # noqa: BLE001  # the SDK's own tree, which is not imported at start
            _translate(error)

    def _connected(self) -> Any:
        if not self._configured:
            raise ProviderNotConfigured("The provider openai is not configured here.")
        if self._client is None:
            from openai import AsyncOpenAI

            key = self._api_key or "none"
            self._client = AsyncOpenAI(base_url=self._base_url, api_key=key, timeout=self._seconds, max_retries=2)
        return self._client


def _translate(error: Exception) -> NoReturn:
    import openai

    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        raise ProviderNotConfigured("The provider refuses the platform's key for this model.") from error
    if isinstance(error, openai.APIStatusError) and 400 <= error.status_code < 500 and error.status_code != 429:
        message = (error.body or {}).get("message", "") if isinstance(error.body, dict) else ""
        raise ProviderRefused(str(message)[:1000] or None) from error
    if isinstance(error, openai.OpenAIError):
        raise EngineUnavailable from error
    raise error


def _transcript(document: dict[str, Any]) -> Transcript:
    words = [Word(row["word"], _ms(row["start"]), _ms(row["end"]), 1.0) for row in document.get("words") or []]
    segments = tuple(
        Segment(
            id=number,
            start_ms=_ms(row["start"]),
            end_ms=_ms(row["end"]),
            text=row["text"],
            average_logprob=row.get("avg_logprob") or 0.0,
            no_speech_probability=row.get("no_speech_prob") or 0.0,
            compression_ratio=row.get("compression_ratio") or 0.0,
            words=tuple(word for word in words if _ms(row["start"]) <= word.start_ms < _ms(row["end"])),
        )
        for number, row in enumerate(document.get("segments") or [])
    )
    seconds = float(document.get("duration") or (document.get("usage") or {}).get("seconds") or 0)
    return Transcript(document.get("text", ""), document.get("language") or "", _ms(seconds), segments)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
