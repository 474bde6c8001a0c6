"""What providers send beyond the ordinary: documents with every field there is, and the ways in which streams are cut.

Each is bytes as they go over the wire. A test asks for them directly and through the platform, and compares.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from tests.standins.openai_provider import completion

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-name"}
FILTERS = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 2, "audio_tokens": 1, "accepted_prediction_tokens": 1, "rejected_prediction_tokens": 0,
    },
}  # fmt: skip
LOGPROBS = {
    "content": [
        {"token": " h\u00e9", "logprob": -0.0, "bytes": [32, 104, 195, 169], "top_logprobs": [
            {"token": "\u2028", "logprob": -9999.0, "bytes": None}]},
    ],
    "refusal": [{"token": "no", "logprob": -1e-7, "bytes": [110, 111], "top_logprobs": []}],
}  # fmt: skip


def _answer(message: dict[str, Any], finish: str = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None} | message, "finish_reason": finish}
    return orjson.dumps(completion("") | {"choices": [choice | fields], "usage": USAGE})


CITED = {"start_index": 0, "end_index": 4, "url": "https://a", "title": "A"}
CITATION = {"type": "url_citation", "url_citation": CITED}
THOUGHT = {"reasoning_content": "2+2", "reasoning": "2+2", "reasoning_details": [{"a": 1}]}
HEAD = b'{"id":"a","object":"chat.completion","created":1e3,"model":"m",'
PART = HEAD.replace(b"completion", b"completion.chunk")
BIG = b"123456789012345678901234567890"
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
ANSWERS: dict[str, bytes] = {
    "refusal": _answer({"refusal": "I cannot."}),
    "audio": _answer({"audio": {"id": "audio_1", "data": "aGk=", "expires_at": 1.5e9, "transcript": "hi"}}),
    "annotations": _answer({"content": "See A", "annotations": [CITATION]}),
    "legacy function": _answer({"function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
    "custom tool": _answer({"tool_calls": [CUSTOM]}, "tool_calls"),
    "logprobs": _answer({"content": "h"}, logprobs=LOGPROBS),
    "reasoning": _answer({"content": "4"} | THOUGHT),
    "azure": _answer({"content": "a"}, "content_filter", content_filter_results=FILTERS),
    "no usage": orjson.dumps({k: v for k, v in completion("a").items() if k != "usage"}),
    "usage null": orjson.dumps(completion("a") | {"usage": None}),
    "error null": orjson.dumps(completion("a") | {"error": None}),
    "finish null": orjson.dumps(completion("a") | {"choices": [{"index": 0, "finish_reason": None, "message": {}}]}),
    "no choices": orjson.dumps(completion("a") | {"choices": []}),
    "numbers": HEAD + b'"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop",'
    b'"score":-0.0,"big":' + BIG + b',"tiny":1E-400}],"usage":{"prompt_tokens":1.0,"completion_tokens":1}}',
    "spaces and order": b' \r\n{ "usage" : null ,\t"choices":[ {"finish_reason" :"stop","message":\n{"content":'
    b'"\\u00e9\\ud83d\\ude00\\u2028\\/\xe2\x80\xa8","role":"assistant"},"index":0 } ],  "object":"chat.completion",'
    b'"model":"m","id":"a","created":1}\n',
    "names twice": HEAD + b'"id":"b","choices":[]}',
    "not a number": HEAD + b'"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop",'
    b'"logprobs":{"content":[{"token":"x","logprob":-Infinity,"bytes":null,"top_logprobs":[]}]},"score":NaN}]}',
    "half a pair": HEAD + b'"choices":[{"index":0,"message":{"role":"assistant","content":"x\\ud83d"},'
    b'"finish_reason":"length"}]}',
    "marked": b"\xef\xbb\xbf" + orjson.dumps(completion("a")),
}  # fmt: skip


def _said(*deltas: dict[str, Any], finish: str | None = "stop", **fields: Any) -> list[dict[str, Any]]:
    told = [CHUNK | {"choices": [{"index": 0, "delta": delta, "finish_reason": None} | fields]} for delta in deltas]
    return [*told, CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}]


WORDS = _said({"role": "assistant", "content": ""}, {"content": "Grü"}, {"content": "ße \U0001f600\u2028"})
NAMED, ARGUED = {"name": "f", "arguments": ""}, {"arguments": "{}"}
STREAMS: dict[str, list[dict[str, Any]]] = {
    "words": WORDS,
    "usage null": [chunk | {"usage": None} for chunk in WORDS],
    "azure": [
        CHUNK | {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": FILTERS}]},
        *WORDS,
        CHUNK | {"choices": [{"index": 0, "finish_reason": None, "content_filter_results": FILTERS,
                              "content_filter_offsets": {"check_offset": 1}}]},
    ],
    "choices": [CHUNK | {"choices": [{"index": number, "delta": {"content": "a"}, "finish_reason": "stop"}
                                     for number in (1, 0)]}],
    "refusal": _said({"role": "assistant", "refusal": ""}, {"refusal": "No."}),
    "thoughts": _said({"reasoning_content": "Hm"}, {"reasoning": "Hm"}, {"content": "4"}),
    "audio": _said({"audio": {"id": "a", "transcript": "hi"}}, {"audio": {"data": "aGk="}}),
    "legacy function": _said({"function_call": NAMED}, {"function_call": ARGUED}),
    "tools": _said({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": NAMED}]},
                   {"tool_calls": [{"index": 0, "function": ARGUED}]}, finish="tool_calls"),
    "logprobs": _said({"content": "h"}, logprobs=LOGPROBS),
    "annotations": _said({"annotations": [CITATION]}),
    "obfuscated": [chunk | {"obfuscation": "xyz", "service_tier": None} for chunk in WORDS],
    "error null": [chunk | {"error": None} for chunk in WORDS],
    "empty": [],
}  # fmt: skip
ODD_EVENTS: dict[str, bytes] = {
    "not a number": b"data: " + PART + b'"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop",'
    b'"logprobs":{"content":[{"token":"x","logprob":-Infinity,"top_logprobs":[]}]}}]}',
    "half a pair": b"data: " + PART + b'"choices":[{"index":0,"delta":{"content":"x\\ud83d"},"finish_reason":null}]}'
    b"\n\ndata: " + PART + b'"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":"stop"}]}',
    "big numbers": b"data: " + PART + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"n":' + BIG + b"}",
    "null": b"data: null",
    "lines": b"data: " + PART + b'\ndata: "choices":[{"index":0,"delta":{},\ndata: "finish_reason":"stop"}]}',
}  # fmt: skip
DONE = b"data: [DONE]\n\n"


def wires() -> Iterator[tuple[str, list[bytes]]]:
    """Streams of chat completions, in pieces, by name."""
    for name, chunks in STREAMS.items():
        yield name, [b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + DONE]
    for name, event in ODD_EVENTS.items():
        yield name, [event + b"\n\n" + DONE]
    yield from framed([orjson.dumps(chunk) for chunk in WORDS])


def framed(documents: list[bytes], names: list[bytes] | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """The same events in every frame that the format allows. `names`: of named events, which have no end mark."""
    heads = [b"event: " + name + b"\n" for name in names] if names else [b""] * len(documents)
    end = b"" if names else DONE
    pairs = list(zip(heads, documents, strict=True))
    plain = b"".join(head + b"data: " + document + b"\n\n" for head, document in pairs) + end
    yield "CRLF", [plain.replace(b"\n", b"\r\n")]
    yield "CR", [plain.replace(b"\n", b"\r")]
    yield "CRLF, byte by byte", [bytes([byte]) for byte in plain.replace(b"\n", b"\r\n")]
    yield "seven by seven", [plain[at : at + 7] for at in range(0, len(plain), 7)]
    yield "no space", [plain.replace(b"data: ", b"data:")]
    yield "comments", [b": ping\n\n" + plain.replace(b"\n\n", b"\n\n:\n\n: keep-alive\n\n")]
    yield "comments inside", [plain.replace(b"data: ", b": here\ndata: ")]
    yield "empty events", [b"\n\n" + plain.replace(b"\n\n", b"\n\n\n\n")]
    yield "ids and pauses", [plain.replace(b"data: ", b"id: 7\nretry: 3000\ndata: ")]
    if not names:
        yield "no end", [plain.removesuffix(DONE)]
        yield "a bare end", [plain.removesuffix(b"\n\n")]
        yield "an end with a space", [plain.replace(b"[DONE]", b"[DONE] ")]
        yield "words behind the end", [plain + b'data: {"id":"late"}\n\n']


RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1.0, "status": "completed", "model": "upstream-name",
    "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
    "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "store": False, "previous_response_id": None,
    "reasoning": {"effort": "high", "summary": "auto"}, "text": {"format": {"type": "text"}}, "truncation": "disabled",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}],
         "encrypted_content": "gAAA"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "a"}},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
            {"type": "output_text", "text": "See A", "logprobs": [], "annotations": [
                {"type": "url_citation", "start_index": 0, "end_index": 4, "url": "https://a", "title": "A"}]},
            {"type": "refusal", "refusal": "No more."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}",
         "status": "completed"},
        {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": "sql", "input": "select 1"},
        {"type": "something_new", "id": "sn_1", "payload": {"a": [1e3]}},
    ],
    "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
              "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 14},
}  # fmt: skip
INCOMPLETE = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
FAILED = RESPONSE | {"status": "failed", "error": {"code": "server_error", "message": "It broke."}, "output": []}
_AT: dict[str, Any] = {"item_id": "msg_1", "output_index": 2, "content_index": 0}
_BEGUN = RESPONSE | {"status": "in_progress", "output": [], "usage": None}
_MIDDLE: list[dict[str, Any]] = [
    {"type": "response.created", "response": _BEGUN},
    {"type": "response.in_progress", "response": _BEGUN},
    {"type": "response.output_item.added", "output_index": 0,
     "item": {"type": "reasoning", "id": "rs_1", "summary": []}},
    {"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
     "part": {"type": "summary_text", "text": ""}},
    {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
     "delta": "Hm", "obfuscation": "x"},
    {"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
     "text": "Hm"},
    {"type": "response.web_search_call.searching", "item_id": "ws_1", "output_index": 1},
    {"type": "response.code_interpreter_call_code.delta", "item_id": "ci_1", "output_index": 1, "delta": "1e3"},
    {"type": "response.file_search_call.completed", "item_id": "fs_1", "output_index": 1},
    {"type": "response.mcp_call_arguments.delta", "item_id": "mc_1", "output_index": 1, "delta": "{"},
    {"type": "response.image_generation_call.partial_image", "item_id": "ig_1", "output_index": 1,
     "partial_image_index": 0, "partial_image_b64": "aGk="},
    {"type": "response.output_text.delta", "delta": "See \U0001f600\u2028", "logprobs": [], **_AT},
    {"type": "response.output_text.annotation.added", "annotation_index": 0, "annotation": {"type": "url_citation"},
     **_AT},
    {"type": "response.refusal.delta", "delta": "No", **_AT},
    {"type": "response.something_new", "payload": [1, None]},
]  # fmt: skip


def response_streams() -> dict[str, list[dict[str, Any]]]:
    """Events of responses, numbered."""
    ends = {
        "completed": {"type": "response.completed", "response": RESPONSE},
        "incomplete": {"type": "response.incomplete", "response": INCOMPLETE},
        "failed": {"type": "response.failed", "response": FAILED},
    }
    return {
        name: [item | {"sequence_number": number} for number, item in enumerate([*_MIDDLE, end])]
        for name, end in ends.items()
    }


BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "sig=="},
    {"type": "redacted_thinking", "data": "EmwK"},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a", "n": 1e3}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
        {"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "E", "page_age": None}]},
    {"type": "text", "text": "See A", "citations": [
        {"type": "char_location", "cited_text": "A", "document_index": 0, "document_title": None,
         "start_char_index": 0, "end_char_index": 1}]},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}},
    {"type": "something_new", "payload": [1, None]},
]  # fmt: skip
COUNTED = {
    "input_tokens": 9, "cache_creation_input_tokens": 4, "cache_read_input_tokens": 2, "output_tokens": 3,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
    "server_tool_use": {"web_search_requests": 1}, "service_tier": "standard",
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "upstream-name", "content": BLOCKS,
    "stop_reason": "pause_turn", "stop_sequence": None, "usage": COUNTED, "container": None,
    "context_management": {"applied_edits": []},
}  # fmt: skip
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig=="}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": BLOCKS[1]},
    {"type": "content_block_stop", "index": 1},
    {"type": "ping"},
    {"type": "content_block_start", "index": 2, "content_block": BLOCKS[2] | {"input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"n": 1e3}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "content_block_start", "index": 3, "content_block": BLOCKS[3]},
    {"type": "content_block_stop", "index": 3},
    {"type": "content_block_start", "index": 4, "content_block": {"type": "text", "text": "", "citations": []}},
    {"type": "content_block_delta", "index": 4,
     "delta": {"type": "citations_delta", "citation": BLOCKS[4]["citations"][0]}},
    {"type": "content_block_delta", "index": 4, "delta": {"type": "text_delta", "text": "See \U0001f600\u2028"}},
    {"type": "content_block_stop", "index": 4},
    {"type": "something_new", "payload": [1, None]},
    {"type": "message_delta", "delta": {"stop_reason": "pause_turn", "stop_sequence": None, "container": None},
     "usage": COUNTED, "context_management": None},
    {"type": "message_stop"},
]  # fmt: skip

REFUSALS: dict[str, tuple[int, bytes]] = {
    "openai": (400, b'{"error":{"message":"Bad.","type":"invalid_request_error","param":null,"code":null}}'),
    "openai, named": (404, b'{"error":{"message":"No.","type":"invalid_request_error","param":"model","code":"none"}}'),
    "azure": (400, b'{"error":{"message":"Bad.","type":null,"param":"prompt","code":"content_filter","status":400}}'),
    "azure, short": (404, b'{"error":{"code":"DeploymentNotFound","message":"There is none."}}'),
    "vllm": (400, b'{"error":{"message":"Too long.","type":"BadRequestError","param":"input_tokens","code":400}}'),
    "vllm, old": (400, b'{"object":"error","message":"Too long.","type":"BadRequestError","param":null,"code":400}'),
    "tgi": (422, b'{"error":"Input validation error: `inputs` are too long","error_type":"validation"}'),
    "fastapi": (422, b'{"detail":[{"loc":["body","messages"],"msg":"Field required","type":"missing"}]}'),
    "router": (400, b'{"error":"The requested model is not supported by any provider."}'),
    "watsonx": (404, b'{"errors":[{"code":"model_not_supported","message":"Not supported."}],"status_code":404}'),
    "google": (400, b'[{"error":{"code":400,"message":"Invalid.","status":"INVALID_ARGUMENT"}}]'),
    "bedrock": (400, b'{"message":"The model is not there."}'),
    "plain text": (413, b"length limit exceeded"),
    "gone": (410, b'{"error":{"message":"It was shut down.","type":"gone","param":null,"code":"gone"}}'),
    "conflict": (409, b'{"error":{"message":"At once.","type":"conflict","param":null,"code":"conflict"}}'),
}
"""Statuses and bodies of refusals, as providers have them."""
