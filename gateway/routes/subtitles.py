"""Transcripts as subtitles: SubRip and WebVTT."""

from collections.abc import Iterable

from aisp.speech.v1 import speech_service_pb2 as pb


def as_srt(segments: Iterable[pb.Segment]) -> str:
    """SubRip."""
    return "".join(
        f"{number}\n{_clock(segment.start_milliseconds, ',')} --> {_clock(segment.end_milliseconds, ',')}\n"
        f"{segment.text.strip()}\n\n"
        for number, segment in enumerate(segments, 1)
    )


def as_vtt(segments: Iterable[pb.Segment]) -> str:
    """WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(segment.start_milliseconds, '.')} --> {_clock(segment.end_milliseconds, '.')}\n"
        f"{segment.text.strip().replace('-->', '->')}\n\n"
        for segment in segments
    )


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"
