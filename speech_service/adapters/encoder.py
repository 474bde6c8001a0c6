"""Raw samples into audio files, part by part, with PyAV."""

import io
import wave
from fractions import Fraction
from typing import Any, Protocol

from speech_service.domain import AudioFormat

PCM_RATE = 24_000
"""Of raw samples, as OpenAI has it."""

CONTAINERS = {
    AudioFormat.MP3: ("mp3", "mp3", None),
    AudioFormat.OPUS: ("ogg", "libopus", 48_000),
    AudioFormat.AAC: ("adts", "aac", None),
    AudioFormat.FLAC: ("flac", "flac", None),
}


class Encoder(Protocol):
    """Takes samples (16 bit, mono), gives bytes of the file."""

    def feed(self, samples: bytes) -> bytes:
        """What of the file is there now."""

    def finish(self) -> bytes:
        """The rest of it."""


def encoder(audio_format: AudioFormat, sample_rate: int) -> Encoder:
    """The encoder of a format."""
    if audio_format is AudioFormat.WAV:
        return WavEncoder(sample_rate)
    if audio_format is AudioFormat.PCM:
        return PcmEncoder(sample_rate)
    return ContainerEncoder(audio_format, sample_rate)


class WavEncoder:
    """A WAV file says its length at its beginning: it comes whole, at the end."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._samples: list[bytes] = []

    def feed(self, samples: bytes) -> bytes:
        self._samples.append(samples)
        return b""

    def finish(self) -> bytes:
        sink = io.BytesIO()
        with wave.open(sink, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._rate)
            file.writeframes(b"".join(self._samples))
        return sink.getvalue()


class PcmEncoder:
    """Samples at 24 kHz."""

    def __init__(self, sample_rate: int) -> None:
        import av

        self._rate = sample_rate
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=PCM_RATE)

    def feed(self, samples: bytes) -> bytes:
        return b"".join(_samples(frame) for frame in self._resampler.resample(_frame(samples, self._rate)))

    def finish(self) -> bytes:
        return b"".join(_samples(frame) for frame in self._resampler.resample(None))


class ContainerEncoder:
    """MP3, Opus in Ogg, AAC in ADTS, FLAC: the file grows as samples come."""

    def __init__(self, audio_format: AudioFormat, sample_rate: int) -> None:
        import av

        container, codec, rate = CONTAINERS[audio_format]
        self._rate = sample_rate
        self._sink = _Sink()
        self._container: Any = av.open(self._sink, mode="w", format=container)
        stream: Any = self._container.add_stream(codec, rate=rate or sample_rate)
        stream.layout = "mono"
        self._stream = stream
        wanted = stream.codec_context
        self._resampler = av.AudioResampler(format=wanted.format or "s16", layout="mono", rate=wanted.sample_rate)
        self._position = 0

    def feed(self, samples: bytes) -> bytes:
        self._encode(_frame(samples, self._rate))
        return self._sink.take()

    def finish(self) -> bytes:
        self._encode(None)
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()

    def _encode(self, frame: Any) -> None:
        for resampled in self._resampler.resample(frame):
            resampled.pts = self._position
            resampled.time_base = Fraction(1, resampled.sample_rate)
            self._position += resampled.samples
            self._container.mux(self._stream.encode(resampled))


class _Sink:
    """A file that can only be written to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _frame(samples: bytes, rate: int) -> Any:
    import av

    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    frame.planes[0].update(samples.ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    return frame


def _samples(frame: Any) -> bytes:
    data: bytes = bytes(frame.planes[0])[: frame.samples * 2]
    return data
