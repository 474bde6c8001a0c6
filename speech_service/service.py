"""The use cases of speech: checks, chooses the provider, and says what was used."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path

from speech_service import policy
from speech_service.domain import (
    AudioFormat,
    BadAudio,
    Health,
    ProviderNotConfigured,
    SpeechModel,
    Synthesizer,
    Transcriber,
    Transcript,
    TranscriptionSettings,
    Voice,
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A synthesis that begins: its parts come out of `audio`."""

    model: SpeechModel
    voice: str
    audio: AsyncGenerator[bytes, None]


class Speech:
    """Transcribes and speaks."""

    def __init__(
        self,
        transcribers: Mapping[str, Transcriber],
        synthesizers: Mapping[str, Synthesizer],
        max_input_characters: int,
    ) -> None:
        self._transcribers = transcribers
        self._synthesizers = synthesizers
        self._max_input_characters = max_input_characters

    def check(self, name: str, settings: TranscriptionSettings) -> SpeechModel:
        """The model, before any audio was read. ModelNotFound, BadRequest, ProviderNotConfigured."""
        model = policy.resolve(name, policy.TRANSCRIPTION)
        policy.check_transcription(model, settings)
        if model.provider not in self._transcribers:
            raise ProviderNotConfigured
        return model

    async def transcribe(self, model: SpeechModel, audio: Path, settings: TranscriptionSettings) -> Transcript:
        """What is said in the file. BadAudio and others of the port."""
        if not (await asyncio.to_thread(audio.stat)).st_size:
            raise BadAudio("The file is empty.", metadata={"param": "file"})
        return await self._transcribers[model.provider].transcribe(model, audio, settings)

    def speak(self, name: str, text: str, voice: str, audio_format: AudioFormat, speed: float) -> Spoken:
        """Begins to speak. ModelNotFound, VoiceNotFound, BadRequest, ProviderNotConfigured."""
        model = policy.resolve(name, policy.SPEECH)
        policy.check_speech(text, speed, self._max_input_characters)
        if model.provider == "local":
            voice = policy.local_voice(voice)
        synthesizer = self._synthesizers.get(model.provider)
        if synthesizer is None:
            raise ProviderNotConfigured
        return Spoken(model, voice, synthesizer.speak(model, text, voice, audio_format, speed))

    def voices(self) -> list[Voice]:
        """The voices that speak here; the default first."""
        return list(policy.LOCAL_VOICES)

    def models(self) -> list[tuple[SpeechModel, Health]]:
        """The models that have names of their own, with their provider's health."""
        return [(model, self._health(model)) for model in policy.CATALOGUE.values()]

    def _health(self, model: SpeechModel) -> Health:
        engines: Mapping[str, Transcriber | Synthesizer]
        engines = self._transcribers if policy.TRANSCRIPTION in model.does else self._synthesizers
        engine = engines.get(model.provider)
        return engine.health() if engine else Health.NOT_CONFIGURED
