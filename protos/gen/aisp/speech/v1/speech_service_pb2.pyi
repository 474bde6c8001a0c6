from aisp.common.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_FORMAT_UNSPECIFIED: _ClassVar[AudioFormat]
    AUDIO_FORMAT_MP3: _ClassVar[AudioFormat]
    AUDIO_FORMAT_OPUS: _ClassVar[AudioFormat]
    AUDIO_FORMAT_AAC: _ClassVar[AudioFormat]
    AUDIO_FORMAT_FLAC: _ClassVar[AudioFormat]
    AUDIO_FORMAT_WAV: _ClassVar[AudioFormat]
    AUDIO_FORMAT_PCM: _ClassVar[AudioFormat]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_VOICE_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_AUDIO: _ClassVar[ErrorReason]
    ERROR_REASON_AUDIO_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_BAD_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_ENGINE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_REFUSED: _ClassVar[ErrorReason]
    ERROR_REASON_PROVIDER_NOT_CONFIGURED: _ClassVar[ErrorReason]
AUDIO_FORMAT_UNSPECIFIED: AudioFormat
AUDIO_FORMAT_MP3: AudioFormat
AUDIO_FORMAT_OPUS: AudioFormat
AUDIO_FORMAT_AAC: AudioFormat
AUDIO_FORMAT_FLAC: AudioFormat
AUDIO_FORMAT_WAV: AudioFormat
AUDIO_FORMAT_PCM: AudioFormat
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_MODEL_NOT_FOUND: ErrorReason
ERROR_REASON_VOICE_NOT_FOUND: ErrorReason
ERROR_REASON_BAD_AUDIO: ErrorReason
ERROR_REASON_AUDIO_TOO_LARGE: ErrorReason
ERROR_REASON_BAD_REQUEST: ErrorReason
ERROR_REASON_ENGINE_UNAVAILABLE: ErrorReason
ERROR_REASON_PROVIDER_REFUSED: ErrorReason
ERROR_REASON_PROVIDER_NOT_CONFIGURED: ErrorReason

class TranscribeAudioRequest(_message.Message):
    __slots__ = ("settings", "audio")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    settings: TranscriptionSettings
    audio: bytes
    def __init__(self, settings: _Optional[_Union[TranscriptionSettings, _Mapping]] = ..., audio: _Optional[bytes] = ...) -> None: ...

class TranscriptionSettings(_message.Message):
    __slots__ = ("model", "file_name", "language", "prompt", "temperature", "word_timestamps")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    WORD_TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    model: str
    file_name: str
    language: str
    prompt: str
    temperature: float
    word_timestamps: bool
    def __init__(self, model: _Optional[str] = ..., file_name: _Optional[str] = ..., language: _Optional[str] = ..., prompt: _Optional[str] = ..., temperature: _Optional[float] = ..., word_timestamps: bool = ...) -> None: ...

class TranscribeAudioResponse(_message.Message):
    __slots__ = ("text", "language", "duration_milliseconds", "segments", "usage", "model")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    text: str
    language: str
    duration_milliseconds: int
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    usage: _usage_pb2.Usage
    model: str
    def __init__(self, text: _Optional[str] = ..., language: _Optional[str] = ..., duration_milliseconds: _Optional[int] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("id", "start_milliseconds", "end_milliseconds", "text", "average_logprob", "no_speech_probability", "compression_ratio", "temperature", "words", "tokens", "seek")
    ID_FIELD_NUMBER: _ClassVar[int]
    START_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    END_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_LOGPROB_FIELD_NUMBER: _ClassVar[int]
    NO_SPEECH_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SEEK_FIELD_NUMBER: _ClassVar[int]
    id: int
    start_milliseconds: int
    end_milliseconds: int
    text: str
    average_logprob: float
    no_speech_probability: float
    compression_ratio: float
    temperature: float
    words: _containers.RepeatedCompositeFieldContainer[Word]
    tokens: _containers.RepeatedScalarFieldContainer[int]
    seek: int
    def __init__(self, id: _Optional[int] = ..., start_milliseconds: _Optional[int] = ..., end_milliseconds: _Optional[int] = ..., text: _Optional[str] = ..., average_logprob: _Optional[float] = ..., no_speech_probability: _Optional[float] = ..., compression_ratio: _Optional[float] = ..., temperature: _Optional[float] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., tokens: _Optional[_Iterable[int]] = ..., seek: _Optional[int] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start_milliseconds", "end_milliseconds", "probability")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    END_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    start_milliseconds: int
    end_milliseconds: int
    probability: float
    def __init__(self, text: _Optional[str] = ..., start_milliseconds: _Optional[int] = ..., end_milliseconds: _Optional[int] = ..., probability: _Optional[float] = ...) -> None: ...

class SynthesizeSpeechRequest(_message.Message):
    __slots__ = ("model", "input", "voice", "format", "speed")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    model: str
    input: str
    voice: str
    format: AudioFormat
    speed: float
    def __init__(self, model: _Optional[str] = ..., input: _Optional[str] = ..., voice: _Optional[str] = ..., format: _Optional[_Union[AudioFormat, str]] = ..., speed: _Optional[float] = ...) -> None: ...

class SynthesizeSpeechResponse(_message.Message):
    __slots__ = ("started", "audio", "usage", "replayed")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    started: AudioStarted
    audio: bytes
    usage: _usage_pb2.Usage
    replayed: bool
    def __init__(self, started: _Optional[_Union[AudioStarted, _Mapping]] = ..., audio: _Optional[bytes] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., replayed: bool = ...) -> None: ...

class AudioStarted(_message.Message):
    __slots__ = ("media_type", "model", "voice")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    model: str
    voice: str
    def __init__(self, media_type: _Optional[str] = ..., model: _Optional[str] = ..., voice: _Optional[str] = ...) -> None: ...

class ListVoicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListVoicesResponse(_message.Message):
    __slots__ = ("voices",)
    VOICES_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ...) -> None: ...

class Voice(_message.Message):
    __slots__ = ("id", "name", "language", "model")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    language: str
    model: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., language: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "provider", "capabilities", "health")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    health: str
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., health: _Optional[str] = ...) -> None: ...
