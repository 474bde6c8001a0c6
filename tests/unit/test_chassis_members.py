"""One member of a JSON object changed, every other byte as it was."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.members import with_member, without_member

NAMES = st.sampled_from(["model", "usage", 'mo"del', "a\\b"]) | st.text(max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


# A busy machine makes inputs slowly; that says nothing of what is tested.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=6), st.sampled_from([None, 2]), st.booleans())
def test_only_that_member_changes(document: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for name in ("model", "usage"):
        assert json.loads(with_member(body, document, name, b'{"x": [1]}')) == document | {name: {"x": [1]}}
        if name in document:
            rest = {key: value for key, value in document.items() if key != name}
            assert json.loads(without_member(body, name)) == rest


def test_no_other_byte_is_touched() -> None:
    body = b' {"seed":123456789012345678901234567890, "t" : 1.0e0,"model"\n:"a", "u":"\\u00e9"} '
    assert with_member(body, json.loads(body), "model", b'"b"') == body.replace(b'"a"', b'"b"')
    assert with_member(b"{}", {}, "model", b'"b"') == b'{"model":"b"}'
    assert without_member(b'{"a":1,"usage":{"x":"}"},"b":2}', "usage") == b'{"a":1,"b":2}'
    assert without_member(b'{"a":1, "usage":null}', "usage") == b'{"a":1}'


def test_a_name_in_disguise_is_found() -> None:
    body = b'{"metadata":{"model":"x"},"mod\\u0065l":"a"}'
    assert json.loads(with_member(body, json.loads(body), "model", b'"b"')) == {
        "metadata": {"model": "x"},
        "model": "b",
    }
