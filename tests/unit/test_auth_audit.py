"""The audit log's chain: any change of any row is found, wherever it is."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from auth_service.domain.audit import AuditEvent, AuditHead, Deed, Origin
from auth_service.policy.audit import ZERO_HASH, Trail, canonical, changed, first_break, hash_of
from chassis.envelope import Envelope

START = AuditHead("t", 0, ZERO_HASH)
texts = st.text(max_size=20)
deeds = st.builds(Deed, st.just("a.b"), texts, st.dictionaries(texts, st.integers() | texts, max_size=3))


def trail() -> Trail:
    signer = Envelope("test", b"s" * 32)
    return Trail(signer, lambda: Origin("user", "u"), lambda: datetime(2026, 1, 1, tzinfo=UTC), max_detail_bytes=1000)


@given(st.lists(deeds, min_size=1, max_size=8))
def test_what_was_sealed_is_whole(done: list[Deed]) -> None:
    events, head = trail().seal(START, done)
    assert first_break(START, events) == ""
    assert (head.sequence, head.hash) == (len(done), hash_of(events[-1].document))
    assert trail().is_signed(head) is True


@given(st.lists(deeds, min_size=2, max_size=8), st.data())
def test_any_change_is_found_at_its_row(done: list[Deed], data: st.DataObject) -> None:
    events, _ = trail().seal(START, done)
    place = data.draw(st.integers(0, len(events) - 1))
    old = events[place]
    document = data.draw(texts.map(lambda text: canonical({"x": text})))
    events[place] = AuditEvent(old.tenant_id, old.sequence, old.at, document, old.hash)
    assert first_break(START, events).startswith(f"row {place + 1} was changed")


@given(st.lists(deeds, min_size=3, max_size=8), st.data())
def test_a_row_that_is_gone_or_elsewhere_is_found(done: list[Deed], data: st.DataObject) -> None:
    events, _ = trail().seal(START, done)
    place = data.draw(st.integers(0, len(events) - 2))
    without = events[:place] + events[place + 1 :]
    assert first_break(START, without) == f"row {place + 1} is missing"
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    assert first_break(START, swapped) != ""


def test_a_head_under_another_key_is_neither_right_nor_wrong() -> None:
    _, head = trail().seal(START, [Deed("a.b")])
    later = Envelope("test", b"t" * 32)
    stranger = Trail(later, lambda: Origin("user"), lambda: datetime.now(UTC), max_detail_bytes=1000)
    assert stranger.is_signed(head) is None
    both = Trail(
        Envelope("test", b"t" * 32, [b"s" * 32]), lambda: Origin("u"), lambda: datetime.now(UTC), max_detail_bytes=1
    )
    assert both.is_signed(head) is True
    assert both.is_signed(AuditHead("t", 2, head.hash, head.key_id, head.signature)) is False


@given(st.dictionaries(texts, st.integers(), max_size=4), st.dictionaries(texts, st.integers(), max_size=4))
def test_only_what_changed_is_told(before: dict[str, object], after: dict[str, object]) -> None:
    old, new = changed(before, after)
    assert set(old) == set(new) == {name for name in before | after if before.get(name) != after.get(name)}
    assert all(old[name] == before.get(name) and new[name] == after.get(name) for name in new)
