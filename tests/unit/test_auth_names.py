"""E-mail addresses and names: one form for what is the same, and none for what only looks the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.policy import names
from chassis.errors import InvalidArgument

SAME = [
    ("Ada@Example.COM", "ada@example.com"),
    ("  ada@example.com ", "ada@example.com"),
    ("\uff41\uff44\uff41@\uff45xample.com", "ada@example.com"),
    ("ada@example\u2024com", "ada@example.com"),
    ("ﬁn@example.com", "fin@example.com"),
    ("KELVIN\u212a@example.com", "kelvink@example.com"),
    ("jose\u0301@example.com", "josé@example.com"),
    ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
    ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
    ("почта@пример.рф", "почта@xn--e1afmkfd.xn--p1ai"),
]
NOT_THE_SAME = [("straße@example.com", "strasse@example.com"), ("ada@straße.example", "ada@strasse.example")]
REFUSED = [
    "p\u0430ypal@example.com",
    "ada@p\u0430ypal.example",
    "\u0391da@example.com",
    "ada@exa\u200bmple.com",
    "ada\u202e@example.com",
    "ada@-bücher-.example",
    "a@b",
    "a" * 250 + "@example.com",
    "ada@exam ple.com",
    "ada\x00@example.com",
]


@pytest.mark.parametrize(("written", "kept"), SAME)
def test_one_address_has_one_form(written: str, kept: str) -> None:
    assert names.normal_email(written) == kept
    assert names.normal_email(kept) == kept


@pytest.mark.parametrize(("one", "other"), NOT_THE_SAME)
def test_two_mailboxes_are_two(one: str, other: str) -> None:
    assert names.normal_email(one) != names.normal_email(other)


@pytest.mark.parametrize("address", REFUSED)
def test_what_only_looks_like_an_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument):
        names.normal_email(address)


@given(st.emails())
def test_what_is_normal_stays_so(address: str) -> None:
    try:
        normal = names.normal_email(address)
    except InvalidArgument:
        return
    assert names.normal_email(normal) == normal
    assert normal == unicodedata.normalize("NFKC", normal)


@pytest.mark.parametrize(
    "name", ["Яндекс Cloud", "Ada Łukasiewicz", "株式会社 Engines", "Ελλάδα GmbH", "O'Neill-Şahin"]
)
def test_names_of_many_scripts_are_names(name: str) -> None:
    assert names.normal_name("name", name, least=1, most=200) == name


@pytest.mark.parametrize("name", ["\u0410cme", "Goog\u04cfe", "Micr\u03bfsoft", "evil\u202egnp.exe", "a\u0000b"])
def test_names_that_are_made_to_be_confused_are_not(name: str) -> None:
    with pytest.raises(InvalidArgument):
        names.normal_name("name", name, least=1, most=200)
