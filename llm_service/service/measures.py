"""What an operator sees of providers in the metrics. Labels are kinds of providers and reasons: tables, not data."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from chassis.telemetry import CALL_BUCKETS

ATTEMPTS = Counter(
    "aisp_llm_attempts_total",
    "Attempts at a provider, by how they ended: ok, or an error's reason",
    ["provider", "end"],
)
ATTEMPT_SECONDS = Histogram(
    "aisp_llm_attempt_seconds", "How long one attempt took, streams to their end", ["provider"], buckets=CALL_BUCKETS
)
# A metric looks for the series of some labels under a lock, for longer than it takes to count.
attempts = cache(ATTEMPTS.labels)
attempt_seconds = cache(ATTEMPT_SECONDS.labels)

LOST_INPUT_BYTES = Counter(
    "aisp_llm_lost_input_bytes_total",
    "Bytes of the documents that failed attempts had sent: what they cost is the platform's, and in no ledger",
    ["provider"],
)
ESTIMATED = Counter(
    "aisp_llm_estimated_total", "Calls whose provider did not say what they used: it was estimated", ["provider"]
)
FALLBACKS = Counter("aisp_llm_fallbacks_total", "Steps to the next deployment, by why", ["provider", "reason"])
BREAKERS_OPEN = Gauge("aisp_llm_breakers_open", "Deployments that are given a pause", ["provider"])
WAITING = Gauge("aisp_llm_queue_waiting", "Calls that wait for a place at a deployment", ["provider"])
WAIT_SECONDS = Histogram(
    "aisp_llm_queue_seconds", "How long calls waited for a place, those that got none included", ["provider"],
    buckets=CALL_BUCKETS,
)  # fmt: skip
