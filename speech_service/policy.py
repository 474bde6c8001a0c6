"""Decisions about speech without I/O: names, voices, bounds, sentences."""

import re

from chassis.errors import Violation
from speech_service.domain import BadRequest, ModelNotFound, SpeechModel, TranscriptionSettings, Voice, VoiceNotFound

TRANSCRIPTION, SPEECH = "transcription", "speech"
DEFAULTS = {TRANSCRIPTION: "local/whisper-tiny.en", SPEECH: "local/piper"}
CATALOGUE = {
    model.name: model
    for model in (
        SpeechModel("local/whisper-tiny.en", "local", "tiny.en", (TRANSCRIPTION, "word_timestamps"), ("en",)),
        SpeechModel("local/piper", "local", "piper", (SPEECH,), ("en",)),
        SpeechModel("whisper-1", "openai", "whisper-1", (TRANSCRIPTION, "word_timestamps")),
        SpeechModel("gpt-4o-transcribe", "openai", "gpt-4o-transcribe", (TRANSCRIPTION,)),
        SpeechModel("gpt-4o-mini-transcribe", "openai", "gpt-4o-mini-transcribe", (TRANSCRIPTION,)),
        SpeechModel("tts-1", "openai", "tts-1", (SPEECH,)),
        SpeechModel("tts-1-hd", "openai", "tts-1-hd", (SPEECH,)),
        SpeechModel("gpt-4o-mini-tts", "openai", "gpt-4o-mini-tts", (SPEECH,)),
    )
}
LOCAL_VOICES = (Voice("joe", "Joe", "en-US", "local/piper"),)
OPENAI_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
)
MAX_PROMPT_CHARACTERS = 4000
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
MAX_SENTENCE_CHARACTERS = 400


def resolve(name: str, does: str) -> SpeechModel:
    """The model of that name that does what is asked; empty means the default. ModelNotFound."""
    found = CATALOGUE.get(name or DEFAULTS[does])
    if found is None and name.startswith("openai/"):
        found = SpeechModel(name, "openai", name.removeprefix("openai/"), (TRANSCRIPTION, SPEECH))
    if found is None or does not in found.does:
        raise ModelNotFound(f"There is no model {name[:200]} for {does}.", metadata={"param": "model"})
    return found


def local_voice(voice: str) -> str:
    """The local voice: itself, or for a name of OpenAI's (or none) the default. VoiceNotFound."""
    if not voice or voice in OPENAI_VOICES:
        return LOCAL_VOICES[0].id
    if voice not in {known.id for known in LOCAL_VOICES}:
        known = ", ".join(item.id for item in LOCAL_VOICES)
        raise VoiceNotFound(f"There is no voice {voice[:64]}; choose from {known}.", metadata={"param": "voice"})
    return voice


def check_transcription(model: SpeechModel, settings: TranscriptionSettings) -> None:
    """BadRequest for what is out of bounds, or a language that the model does not know."""
    if not 0 <= settings.temperature <= 1:
        raise bad("temperature", "must be from 0 to 1")
    if len(settings.prompt) > MAX_PROMPT_CHARACTERS:
        raise bad("prompt", f"must have at most {MAX_PROMPT_CHARACTERS} characters")
    if settings.language and model.languages and settings.language.lower() not in model.languages:
        raise bad(
            "language", f"{settings.language[:16]} is not known to {model.name} ({', '.join(model.languages)} is)"
        )


def check_speech(text: str, speed: float, most: int) -> None:
    """BadRequest for what is out of bounds."""
    if not 1 <= len(text) <= most or not text.strip():
        raise bad("input", f"must have 1 to {most} characters")
    if not 0.25 <= speed <= 4:
        raise bad("speed", "must be from 0.25 to 4")


def bad(field: str, description: str) -> BadRequest:
    """The error of one field."""
    return BadRequest(f"{field} {description}.", metadata={"param": field}, violations=[Violation(field, description)])


def sentences(text: str) -> list[str]:
    """The text in pieces that are spoken one after the other, so that the first is heard soon."""
    pieces = [piece.strip() for piece in _BETWEEN_SENTENCES.split(text)]
    found = []
    for piece in pieces:
        while len(piece) > MAX_SENTENCE_CHARACTERS:
            cut = piece.rfind(" ", 0, MAX_SENTENCE_CHARACTERS)
            cut = cut if cut > 0 else MAX_SENTENCE_CHARACTERS
            found.append(piece[:cut])
            piece = piece[cut:].strip()  # noqa: PLW2901  # what is left of it
        if piece:
            found.append(piece)
    return found
