"""Decisions about speech: names, voices, bounds, sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_service.domain import BadRequest, ModelNotFound, TranscriptionSettings, VoiceNotFound
from speech_service.policy import (
    MAX_PROMPT_CHARACTERS,
    MAX_SENTENCE_CHARACTERS,
    OPENAI_VOICES,
    SPEECH,
    TRANSCRIPTION,
    check_speech,
    check_transcription,
    local_voice,
    resolve,
    sentences,
)


@pytest.mark.parametrize(
    ("name", "does", "provider", "upstream"),
    [
        ("", TRANSCRIPTION, "local", "tiny.en"),
        ("", SPEECH, "local", "piper"),
        ("whisper-1", TRANSCRIPTION, "openai", "whisper-1"),
        ("openai/whisper-next", TRANSCRIPTION, "openai", "whisper-next"),
        ("openai/tts-next", SPEECH, "openai", "tts-next"),
    ],
)
def test_a_name_leads_to_a_model(name: str, does: str, provider: str, upstream: str) -> None:
    found = resolve(name, does)
    assert (found.provider, found.upstream) == (provider, upstream)


@pytest.mark.parametrize(("name", "does"), [("nobody", SPEECH), ("whisper-1", SPEECH), ("local/piper", TRANSCRIPTION)])
def test_a_model_does_what_it_does(name: str, does: str) -> None:
    with pytest.raises(ModelNotFound) as raised:
        resolve(name, does)
    assert raised.value.metadata["param"] == "model"


def test_openais_voices_mean_the_default() -> None:
    assert {local_voice(name) for name in ("", "joe", *OPENAI_VOICES)} == {"joe"}
    with pytest.raises(VoiceNotFound, match="joe"):
        local_voice("nobody")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (TranscriptionSettings(temperature=1.01), "temperature"),
        (TranscriptionSettings(temperature=-0.1), "temperature"),
        (TranscriptionSettings(temperature=float("nan")), "temperature"),
        (TranscriptionSettings(prompt="x" * (MAX_PROMPT_CHARACTERS + 1)), "prompt"),
        (TranscriptionSettings(language="de"), "language"),
    ],
)
def test_bounds_of_a_transcription(settings: TranscriptionSettings, field: str) -> None:
    with pytest.raises(BadRequest) as raised:
        check_transcription(resolve("", TRANSCRIPTION), settings)
    assert raised.value.violations[0].field == field


def test_at_the_bounds() -> None:
    model = resolve("", TRANSCRIPTION)
    check_transcription(model, TranscriptionSettings("a.wav", "EN", "x" * MAX_PROMPT_CHARACTERS, 1.0))
    check_speech("x" * 10, 0.25, 10)
    check_speech("x", 4.0, 10)


@pytest.mark.parametrize(
    ("text", "speed", "field"),
    [("", 1, "input"), ("  \n", 1, "input"), ("x" * 11, 1, "input"), ("x", 0.24, "speed"), ("x", 4.01, "speed")],
)
def test_bounds_of_speech(text: str, speed: float, field: str) -> None:
    with pytest.raises(BadRequest) as raised:
        check_speech(text, speed, 10)
    assert raised.value.violations[0].field == field


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.50 euros at example.com. Really?!", ["It costs 3.50 euros at example.com.", "Really?!"]),
        ("A line\nand another\n\n", ["A line", "and another"]),
        ("Wait... what", ["Wait...", "what"]),
        ("no end", ["no end"]),
        ("...", ["..."]),
    ],
)
def test_sentences_are_spoken_one_by_one(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text(max_size=2000))
def test_no_word_is_lost_and_no_piece_is_long(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < len(piece) <= MAX_SENTENCE_CHARACTERS for piece in found)
