"""Whose word is taken of where a request comes from."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.address import client_address, throttled_as

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", [b"203.0.113.9"], "198.51.100.7"),  # anybody can claim anything
        ("10.1.1.1", [b"203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", [b"1.2.3.4, 203.0.113.9"], "203.0.113.9"),  # the left end is the client's own invention
        ("10.1.1.1", [b"1.2.3.4, 203.0.113.9, 10.2.2.2"], "203.0.113.9"),
        ("10.1.1.1", [b"1.2.3.4", b"203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", [b"nonsense"], "10.1.1.1"),
        ("10.1.1.1", [b"203.0.113.9, nonsense, 10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", [b""], "10.1.1.1"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("::ffff:10.1.1.1", [b"::ffff:203.0.113.9"], "203.0.113.9"),
        ("fd00::1", [b"2001:db8::5"], "2001:db8::5"),
        ("", [b"203.0.113.9"], ""),
    ],
)
def test_the_last_that_is_no_proxy(peer: str, forwarded: list[bytes], expected: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == expected


def test_without_proxies_nothing_is_believed() -> None:
    assert client_address("10.1.1.1", [b"203.0.113.9"], ()) == "10.1.1.1"


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_header_gives_an_address(forwarded: list[bytes]) -> None:
    assert client_address("10.1.1.1", forwarded, PROXIES)


def test_a_network_of_ipv6_is_one_client() -> None:
    assert throttled_as("2001:db8:1:2::1") == throttled_as("2001:db8:1:2:ffff::9")
    assert throttled_as("2001:db8:1:2::1") != throttled_as("2001:db8:1:3::1")
    assert throttled_as("203.0.113.9") == "203.0.113.9"
