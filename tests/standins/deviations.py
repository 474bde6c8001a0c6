"""What servers of OpenAI's format say beyond it, as their makers document it: whole answers, and chunks of streams."""

from typing import Any

import orjson

from tests.standins.openai_provider import completion

CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
TIMINGS = {"prompt_n": 1, "prompt_ms": 30.958, "predicted_per_second": 52.9, "cache_n": 236}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "closed": True}
DETAILS = [
    {"type": "reasoning.summary", "summary": "Hm", "id": None, "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "eyJ", "id": "r", "format": "openai-responses-v1", "index": 1},
]
SIGNED = {"google": {"thought_signature": "CiQBxx=="}}
FOUND = {
    "title": "A",
    "url": "https://a",
    "date": "2026-01-01",
    "last_updated": None,
    "snippet": "\u2028",
    "source": "web",
}
QUEUED = {"queue_time": 0.02, "prompt_time": 1e-05, "completion_time": 0.1, "total_time": 0.10001}
MASKED = {"filtered": True, "detected": True, "citation": {"URL": "https://a", "license": "MIT"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def whole(message: dict[str, Any], *, usage: dict[str, Any] | None = None, choice: Any = None, **top: Any) -> bytes:
    """An answer whose message, choice, usage and outermost object have these fields as well."""
    document = completion("a")
    document["choices"][0]["message"] |= message
    document["choices"][0] |= choice or {}
    document["usage"] |= usage or {}
    return orjson.dumps(document | top)


ANSWERS: dict[str, bytes] = {
    "deepseek": whole({"reasoning_content": "Hm"}, choice={"finish_reason": "insufficient_system_resource"},
                      usage={"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5}),
    "openrouter": whole({"reasoning": "Hm", "reasoning_details": DETAILS, "images": [{"image_url": {"url": "data:,"}}]},
                        usage={"cost": 0.00014, "is_byok": False, "cost_details": {"upstream_inference_cost": None}},
                        choice={"native_finish_reason": "STOP"}, provider="Parasail"),
    "groq": whole({"executed_tools": [{"index": 0, "type": "search"}]}, usage=QUEUED, x_groq={"id": "req_1", "seed": 1},
                  usage_breakdown=None, service_tier="on_demand"),
    "mistral": whole({"content": [THOUGHT, {"type": "text", "text": "4"}, {"type": "reference", "reference_ids": [1]}],
                      "prefix": False, "tool_calls": None}, choice={"finish_reason": "model_length"}),
    "together": whole({}, choice={"seed": 17922371894231, "logprobs": {"token_ids": [1], "tokens": ["a"],
                      "token_logprobs": [-0.5]}, "text": "a"}, prompt=[{"text": "<s>", "logprobs": None}]),
    "vllm": whole({"reasoning": None}, choice={"stop_reason": 128009, "token_ids": [1, 2]},
                  prompt_logprobs=[None, {"128000": {"logprob": -9.5e-05, "rank": 1, "decoded_token": "<|begin|>"}}],
                  kv_transfer_params=None, prompt_token_ids=[1]),
    "tgi": whole({"tool_call_id": None}, choice={"finish_reason": "eos_token"}, system_fingerprint="3.3.4-native"),
    "llama.cpp": whole({"reasoning_content": ""}, timings=TIMINGS, __verbose={"prompt": "<s>"}),
    "perplexity": whole({}, citations=["https://a"], search_results=[FOUND], images=[], related_questions=None,
                        usage={"search_context_size": "low", "num_search_queries": 1, "cost": {"total_cost": 0.006}}),
    "gemini": whole({"tool_calls": [CALL | {"extra_content": SIGNED}], "extra_content": SIGNED, "content": None},
                    choice={"finish_reason": "tool_calls"},
                    usage={"completion_tokens_details": {"reasoning_tokens": 9}}),
    "xai": whole({}, citations=[], usage={"num_sources_used": 2, "cost_in_usd_ticks": 37756000}),
    "azure": whole({"context": {"citations": [{"content": "c", "filepath": None}], "intent": '["a"]'}},
                   choice={"content_filter_results": {"protected_material_code": MASKED, "error": {"code": 1}}}),
    "no usage of parts": orjson.dumps({key: value for key, value in orjson.loads(
        whole({"content": [THOUGHT, {"type": "text", "text": "4"}]})).items() if key != "usage"}),
    "tool arguments as an object": whole({"tool_calls": [CALL | {"function": {"name": "f", "arguments": {"a": 1}}}]}),
    "no id, no model": b'{"choices":[{"message":{"content":"a"}}]}',
    "usage of another kind": whole({}, usage={"prompt_tokens": None, "completion_tokens": "3", "total_tokens": -1,
                                   "prompt_tokens_details": [], "completion_tokens_details": "none"}),
}  # fmt: skip


def streamed(*deltas: dict[str, Any], choice: Any = None, **top: Any) -> list[dict[str, Any]]:
    """Chunks of these deltas, whose choices and outermost objects have these fields as well."""
    told = [CHUNK | {"choices": [{"index": 0, "delta": delta, **(choice or {})}]} | top for delta in deltas]
    return [*told, CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


STREAMS: dict[str, list[dict[str, Any]]] = {
    "deepseek": streamed({"role": "assistant", "content": None, "reasoning_content": "Hm"}, {"content": "4"}),
    "openrouter": streamed({"reasoning": "Hm", "reasoning_details": DETAILS}, {"content": "4"}, provider="Parasail"),
    "groq": [*streamed({"content": "4"}, x_groq={"id": "r"}), CHUNK | {"choices": [], "x_groq": {"usage": QUEUED}}],
    "mistral": streamed({"content": [THOUGHT]}, {"content": [{"type": "text", "text": "4"}]}, p="abcdefgh"),
    "vllm": streamed({"content": "4"}, choice={"stop_reason": None, "token_ids": [1]}, prompt_token_ids=[1]),
    "llama.cpp": streamed({"content": "4"}, timings=TIMINGS, prompt_progress={"total": 9, "cache": 0, "time_ms": 1}),
    "perplexity": streamed({"content": "4"}, choice={"message": {"content": "4"}}, citations=["https://a"]),
    "gemini": streamed({"tool_calls": [CALL | {"index": 0, "extra_content": SIGNED}]}, {"extra_content": SIGNED}),
    "tgi, one call": streamed({"tool_calls": CALL | {"index": 0}}),
    "azure": streamed({"content": "4", "context": {"intent": "[]"}}, choice={"content_filter_results": {"a": MASKED}}),
    "no id, no model": [{"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"finish_reason": "stop"}]}],
    "choices null": [CHUNK | {"choices": None}, *streamed({"content": "4"})],
    "delta null": [CHUNK | {"choices": [{"index": 0, "delta": None}]}, *streamed({"content": "4"})],
    "a numbered reason": streamed({"content": "4"}, choice={"finish_reason": 0}),
}  # fmt: skip
