"""Piper as a process of its own: `python -m speech_service.adapters.piper_worker VOICE`.

Requests are texts; answers are raw samples (16 bit, mono), sentence by sentence. Piper is GPL-3.0: it is imported
here and nowhere else. Ends when its standard input does.
"""

import sys
from typing import Any

from speech_service.adapters.frames import WorkerPipe

SEED = 1


def main() -> None:
    """Loads the voice, then speaks text after text."""
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig

    # The voice draws noise. A fresh process draws the same, so that what it says can be told again.
    onnxruntime.set_seed(SEED)
    pipe = WorkerPipe()
    voice: Any = PiperVoice.load(sys.argv[1])
    pipe.tell(ready=True, sample_rate=voice.config.sample_rate)
    while (request := pipe.request()) is not None:
        config = SynthesisConfig(length_scale=1 / request["speed"])
        for sentence in request["sentences"]:
            for chunk in voice.synthesize(sentence, config):
                pipe.send(chunk.audio_int16_bytes)
        pipe.tell(done=True)


if __name__ == "__main__":
    main()
