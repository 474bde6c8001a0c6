"""What both formats can say, as strategies of hypothesis: requests and their parts, in their shortest form."""

from base64 import b64encode
from typing import Any

import orjson
from hypothesis import strategies as st

from llm_service.policy.translation.words import ERROR_MARK

MOST = 1000
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = TEXT.filter(bool)
NAMES = st.text("abcxyz_", min_size=1, max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
BASE64 = st.binary(max_size=6).map(lambda data: b64encode(data).decode())
IMAGE_TYPES = st.sampled_from(["image/jpeg", "image/png", "image/gif", "image/webp"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def constant(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in fields.items()}
    )


def shortest(parts: list[dict[str, Any]]) -> Any:
    """A content is a text where it is one part of text: both formats say so."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def content(*kinds: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.lists(st.one_of(*kinds), min_size=1, max_size=3).map(shortest)


SAID = constant(type="text", text=WORDS)

# What Anthropic's format can say and OpenAI's can.
M_IMAGE = constant(
    type="image",
    source=constant(type="base64", media_type=IMAGE_TYPES, data=BASE64)
    | constant(type="url", url=st.just("https://x/y.png")),
)
M_PDF = st.builds(
    lambda block, title: block | title,
    constant(type="document", source=constant(type="base64", media_type="application/pdf", data=BASE64)),
    optional(title=NAMES),
)
M_RESULT = st.builds(
    lambda block, error: block | error,
    constant(
        type="tool_result",
        tool_use_id=NAMES,
        content=content(SAID.filter(lambda part: not part["text"].startswith(ERROR_MARK))),
    ),
    st.sampled_from([{}, {"is_error": True}]),
)
M_CALL = constant(type="tool_use", id=NAMES, name=NAMES, input=OBJECTS)
M_USER = constant(role="user", content=content(SAID, M_IMAGE, M_PDF))
M_RESULTS = constant(
    role="user",
    content=st.tuples(st.lists(M_RESULT, min_size=1, max_size=2), st.lists(st.one_of(SAID, M_IMAGE), max_size=2)).map(
        lambda both: [*both[0], *both[1]]
    ),
)
M_ASSISTANT = constant(
    role="assistant",
    content=st.tuples(st.lists(SAID, max_size=2), st.lists(M_CALL, max_size=2))
    .map(lambda both: [*both[0], *both[1]])
    .filter(bool)
    .map(shortest),
)
M_SYSTEM = constant(role="system", content=content(SAID))
M_TOOL = st.builds(
    lambda tool, more: tool | more,
    constant(name=NAMES, input_schema=OBJECTS.filter(bool)),
    optional(description=TEXT, strict=st.booleans()),
)
PARALLEL = optional(disable_parallel_tool_use=st.just(True))
M_CHOICE = st.builds(
    lambda choice, more: choice | more,
    constant(type=st.sampled_from(["auto", "any"])) | constant(type="tool", name=NAMES),
    PARALLEL,
) | constant(type="none")
EFFORTS = st.sampled_from(["low", "medium", "high", "xhigh"])
MESSAGES = st.builds(
    lambda asked, more, thinking: asked | more | thinking,
    constant(
        model=NAMES,
        max_tokens=st.integers(1, 9999),
        messages=st.tuples(
            st.lists(st.one_of(M_USER, M_RESULTS, M_ASSISTANT), max_size=4), st.one_of(M_USER, M_RESULTS, M_SYSTEM)
        ).map(lambda both: _user_first([*both[0], both[1]])),
    ),
    optional(
        system=content(SAID),
        temperature=st.floats(0, 1),
        top_p=st.floats(0, 1),
        top_k=st.integers(1, 100),
        stop_sequences=st.lists(WORDS, max_size=4),
        stream=st.booleans(),
        metadata=constant(user_id=NAMES),
        service_tier=st.sampled_from(["auto", "standard_only"]),
        tools=st.lists(M_TOOL, min_size=1, max_size=3),
        tool_choice=M_CHOICE,
    ),
    st.just({})
    | constant(output_config=constant(format=constant(type="json_schema", schema=OBJECTS)))
    | constant(thinking=constant(type="adaptive"), output_config=constant(effort=EFFORTS)),
)


def _user_first(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A system message at the very start is the `system` of the request; and turns of results and of the user that
    follow each other are one.
    """
    told = messages if messages[0]["role"] != "system" else [{"role": "user", "content": "hi"}, *messages]
    kept: list[dict[str, Any]] = []
    for message in told:
        results = kept and isinstance(kept[-1]["content"], list) and kept[-1]["content"][-1]["type"] == "tool_result"
        if results and message["role"] == "user":
            continue
        kept.append(message)
    return kept if kept[-1]["role"] != "assistant" else [*kept, {"role": "user", "content": "go on"}]


C_IMAGE = constant(
    type="image_url",
    image_url=constant(
        url=st.builds(lambda kind, data: f"data:{kind};base64,{data}", IMAGE_TYPES, BASE64) | st.just("https://x/y.png")
    ),
)
C_FILE = constant(
    type="file",
    file=constant(filename=NAMES, file_data=BASE64.map(lambda data: f"data:application/pdf;base64,{data}")),
)
C_CALL = constant(
    id=NAMES,
    type="function",
    function=constant(name=NAMES, arguments=OBJECTS.map(lambda value: orjson.dumps(value).decode())),
)
C_USER = constant(role="user", content=content(SAID, C_IMAGE, C_FILE))
C_RESULT = constant(role="tool", tool_call_id=NAMES, content=content(SAID))
C_ASSISTANT = constant(role="assistant", content=content(SAID)) | constant(
    role="assistant", content=st.none() | content(SAID), tool_calls=st.lists(C_CALL, min_size=1, max_size=2)
)
C_TOOL = constant(
    type="function",
    function=st.builds(
        lambda tool, more: tool | more,
        constant(name=NAMES, parameters=OBJECTS.filter(bool)),
        optional(description=TEXT, strict=st.booleans()),
    ),
)
C_CHOICE = st.sampled_from(["auto", "required", "none"]) | constant(type="function", function=constant(name=NAMES))
C_SCHEMA = constant(type="json_schema", json_schema=constant(name="answer", schema=OBJECTS, strict=True))
CHAT = st.builds(
    lambda asked, more, parallel: asked | more | (parallel if more.get("tool_choice", "none") != "none" else {}),
    constant(
        model=NAMES,
        max_completion_tokens=st.integers(1, 9999),
        messages=st.tuples(
            st.lists(constant(role="system", content=content(SAID)), max_size=1),
            st.lists(st.one_of(C_USER, C_RESULT, C_ASSISTANT), max_size=4),
            st.one_of(C_USER, C_RESULT),
        ).map(lambda parts: [*parts[0], *parts[1], parts[2]]),
    ),
    optional(
        temperature=st.floats(0, 1),
        top_p=st.floats(0, 1),
        stop=st.lists(WORDS, max_size=4),
        stream=st.booleans(),
        user=NAMES,
        service_tier=st.sampled_from(["auto", "default"]),
        tools=st.lists(C_TOOL, min_size=1, max_size=3),
        tool_choice=C_CHOICE,
        response_format=C_SCHEMA,
        reasoning_effort=EFFORTS,
    ),
    optional(parallel_tool_calls=st.just(False)),
)
