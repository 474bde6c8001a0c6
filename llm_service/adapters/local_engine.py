"""The local engine as a process of its own: llama.cpp's OpenAI-compatible server on a loopback port.

Run by the supervisor as `python -m llm_service.adapters.local_engine`; tells its address as one line of JSON, and
ends when its standard input does. A crash of the model, or its hunger for cores, is not the service's.
"""

import argparse
import json
import os
import sys


def main() -> None:
    """Loads the model, serves until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--context-length", type=int, required=True)
    arguments = parser.parse_args()

    # Its threads meet at barriers many times a token. On a machine that others use, who waits there by spinning keeps
    # the one that it waits for from running: measured, a tenth of the tokens for seven times the CPU.
    os.putenv("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.model
    parameters.n_parallel = arguments.slots
    parameters.n_ctx = arguments.context_length * arguments.slots
    parameters.cpuparams.n_threads = arguments.threads
    parameters.cpuparams_batch.n_threads = arguments.threads
    parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_threads_http = max(4, arguments.slots + 2)
    parameters.endpoint_slots = False
    parameters.ui = False
    parameters.warmup = False
    parameters.use_jinja = True
    server = xllamacpp.Server(parameters)
    print(json.dumps({"address": server.listening_address}), flush=True)  # noqa: T201  # what the supervisor waits for
    # The supervisor holds the other end: when it goes, in whatever way, this ends.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
