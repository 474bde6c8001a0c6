"""Whisper as a process of its own: `python -m speech_service.adapters.whisper_worker MODEL THREADS`.

Requests name a file; answers are transcripts or errors. Ends when its standard input does.
"""

import sys
from typing import Any

from speech_service.adapters.frames import WorkerPipe


def main() -> None:
    """Loads the model, then transcribes file after file."""
    from faster_whisper import WhisperModel

    pipe = WorkerPipe()
    model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
    pipe.tell(ready=True)
    while (request := pipe.request()) is not None:
        answer(pipe, model, request)


def answer(pipe: WorkerPipe, model: Any, request: dict[str, Any]) -> None:
    """One transcript, or one error with its kind."""
    import av
    from faster_whisper.audio import decode_audio

    try:
        audio = decode_audio(request["path"], sampling_rate=16_000)
    except (av.error.FFmpegError, ValueError, IndexError, StopIteration) as error:
        pipe.tell(error="bad_audio", detail=repr(error))
        return
    seconds = len(audio) / 16_000
    if not len(audio):
        pipe.tell(error="bad_audio", detail="no samples")
    elif seconds > request["max_seconds"]:
        pipe.tell(error="too_long", detail=f"{seconds:.0f} s")
    else:
        pipe.tell(**transcribe(model, audio, seconds, request))


def transcribe(model: Any, audio: Any, seconds: float, request: dict[str, Any]) -> dict[str, Any]:
    """The transcript as plain values. Voice activity is looked for first, so that silence is not made into words."""
    segments, info = model.transcribe(
        audio,
        language=request["language"] or None,
        initial_prompt=request["prompt"] or None,
        temperature=request["temperature"] or [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        word_timestamps=request["words"],
        vad_filter=True,
        condition_on_previous_text=False,
    )
    found = [
        {
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "avg_logprob": segment.avg_logprob,
            "no_speech_prob": segment.no_speech_prob,
            "compression_ratio": segment.compression_ratio,
            "temperature": segment.temperature or 0.0,
            "seek": segment.seek,
            "tokens": list(segment.tokens),
            "words": [
                {"word": word.word, "start": word.start, "end": word.end, "probability": word.probability}
                for word in segment.words or ()
            ],
        }
        for segment in segments
    ]
    return {"segments": found, "language": info.language, "seconds": seconds}


if __name__ == "__main__":
    main()
