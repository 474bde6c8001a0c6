"""Secrets at rest open with their key and for their owner, and not otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.envelope import CannotOpen, Envelope

OLD, NEW = b"o" * 32, b"n" * 32


@given(st.binary(max_size=200), st.lists(st.text(), max_size=3))
def test_what_is_sealed_opens_for_what_it_belongs_to(plaintext: bytes, binding: list[str]) -> None:
    sealed = Envelope("a", OLD).seal(plaintext, *binding)
    assert Envelope("a", OLD).open(sealed, *binding) == plaintext
    with pytest.raises(CannotOpen):
        Envelope("a", OLD).open(sealed, *binding, "other")


def test_parts_of_a_binding_do_not_run_into_each_other() -> None:
    sealed = Envelope("a", OLD).seal(b"x", "ab", "c")
    with pytest.raises(CannotOpen):
        Envelope("a", OLD).open(sealed, "a", "bc")


@given(st.data())
def test_a_changed_ciphertext_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(Envelope("a", OLD).seal(b"secret"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotOpen):
        Envelope("a", OLD).open(bytes(sealed))


def test_nor_does_one_cut_short_or_of_another_purpose() -> None:
    sealed = Envelope("a", OLD).seal(b"secret")
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            Envelope("a", OLD).open(sealed[:length])
    with pytest.raises(CannotOpen):
        Envelope("b", OLD).open(sealed)


def test_an_old_secret_stands_beside_the_new_until_all_is_sealed_anew() -> None:
    old = Envelope("a", OLD).seal(b"secret")
    both = Envelope("a", NEW, [OLD])
    assert both.open(old) == b"secret"
    assert not both.is_current(old)
    fresh = both.seal(both.open(old))
    assert both.is_current(fresh)
    assert Envelope("a", NEW).open(fresh) == b"secret"
    with pytest.raises(CannotOpen):
        Envelope("a", NEW).open(old)


def test_a_signature_names_its_key() -> None:
    old, new = Envelope("a", OLD), Envelope("a", NEW, [OLD])
    signature = old.sign(b"head")
    assert new.signed(old.key_id, b"head", signature) is True
    assert new.signed(old.key_id, b"tail", signature) is False
    assert Envelope("a", NEW).signed(old.key_id, b"head", signature) is None
    assert old.key_id != new.key_id
