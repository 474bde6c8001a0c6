"""The nouns of speech, the ports through which the service reaches the world, and its errors.

NotFound            ModelNotFound
InvalidArgument     VoiceNotFound, BadAudio, AudioTooLarge, BadRequest, ProviderRefused
Unavailable         EngineUnavailable
FailedPrecondition  ProviderNotConfigured
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "There is no such speech model."


class VoiceNotFound(InvalidArgument):
    reason = "VOICE_NOT_FOUND"
    message = "There is no such voice."


class BadAudio(InvalidArgument):
    reason = "BAD_AUDIO"
    message = "The file is empty, or is not audio that can be read."


class AudioTooLarge(InvalidArgument):
    reason = "AUDIO_TOO_LARGE"
    message = "The audio is larger or longer than allowed."


class BadRequest(InvalidArgument):
    reason = "BAD_REQUEST"
    message = "A setting is out of bounds."


class EngineUnavailable(Unavailable):
    reason = "ENGINE_UNAVAILABLE"
    message = "The speech model does not answer at the moment; try again soon."


class ProviderRefused(InvalidArgument):
    reason = "PROVIDER_REFUSED"
    message = "The provider refused the request."


class ProviderNotConfigured(FailedPrecondition):
    reason = "PROVIDER_NOT_CONFIGURED"
    message = "The provider of this model is not configured here."


class Health(Enum):
    """Whether a provider works."""

    OK = "ok"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


class AudioFormat(Enum):
    """A format of audio, by OpenAI's name."""

    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A model: its public name, its name at the provider, what it does (transcription, speech)."""

    name: str
    provider: str
    upstream: str
    does: tuple[str, ...]
    languages: tuple[str, ...] = ()
    """Those that it knows; empty: many."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice."""

    id: str
    name: str
    language: str
    model: str


@dataclass(frozen=True, slots=True)
class TranscriptionSettings:
    """How to transcribe."""

    file_name: str = ""
    language: str = ""
    prompt: str = ""
    temperature: float = 0.0
    word_timestamps: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its time in milliseconds."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech; times in milliseconds."""

    id: int
    start_ms: int
    end_ms: int
    text: str
    average_logprob: float = 0.0
    no_speech_probability: float = 0.0
    compression_ratio: float = 0.0
    temperature: float = 0.0
    seek: int = 0
    tokens: tuple[int, ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said."""

    text: str
    language: str
    duration_ms: int
    segments: tuple[Segment, ...]


class Transcriber(Protocol):
    """Turns audio into text."""

    async def transcribe(self, model: SpeechModel, audio: Path, settings: TranscriptionSettings) -> Transcript:
        """BadAudio, AudioTooLarge, EngineUnavailable, or what the provider fails with."""

    def health(self) -> Health:
        """Without asking the provider."""


class Synthesizer(Protocol):
    """Turns text into audio."""

    def speak(
        self, model: SpeechModel, text: str, voice: str, audio_format: AudioFormat, speed: float
    ) -> AsyncGenerator[bytes, None]:
        """A file of the format, in parts, as it is made."""

    def health(self) -> Health:
        """Without asking the provider."""
