"""Which URLs and addresses the platform calls on behalf of a tenant: the rules, without a socket."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidArgument
from chassis.outbound import MAX_URL_CHARACTERS, check_url, permitted
from chassis.settings import OutboundSettings

STRICT = OutboundSettings()
PLAIN = OutboundSettings(plain_http=True)

HOSTILE = (
    # Loopback and private addresses, in every notation that getaddrinfo understands.
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.1./",
    "http://127.255.255.254/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    # The metadata of clouds.
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://metadata.google.internal/",
    "http://instance-data.ec2.internal/",
    # Version 6: loopback, mapped, translated, tunnelled, local, multicast, unassigned.
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[100::1]/",
    "http://[5f00::1]/",
    "http://[4000::1]/",
    # Names of this machine and of private networks.
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://foo.localhost/",
    "http://printer.local/",
    "http://db.internal/",
    "http://nas.home.arpa/",
    "http://auth_service/",
    "http://kubernetes/",
    # Confusions of parsers.
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://user:password@example.com/",
    "http://@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://127.0.0.1#@example.com/",
    "http://example.com#@127.0.0.1/",
    "http://127.0.0.1%23@example.com/",
    "http://exa mple.com/",
    "http://example.com\t.evil.com/",
    "http://example.com\r\nHost: evil/",
    "http://example.com\x00.evil.com/",
    "http:///etc/passwd",
    "http://:80/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:port/",
    "http://[::1/",
    "http://a..b/",
    "http://-a.com/",
    "http://1.2.3.4.5/",
    "http://1.2.3.256/",
    "http://example.0x1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "",
    # Other schemes.
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://example.com/",
    "dict://127.0.0.1:6379/",
    "ldap://example.com/",
    "unix:///run/docker.sock",
    "data:text/plain,x",
    "javascript:alert(1)",
    "ws://example.com/",
    "jar:http://example.com!/",
    f"http://example.com/{'a' * MAX_URL_CHARACTERS}",
)


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_url(url, PLAIN)
    assert caught.value.reason in ("URL_REFUSED", "ADDRESS_REFUSED")
    assert caught.value.violations[0].field == "url"
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/path?x=1&y=%20",
        "https://EXAMPLE.com/",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://a-b.c_d.example.org./hook",
        "https://my-resource.openai.azure.com/openai/v1",
    ],
)
def test_a_public_url_is_taken(url: str) -> None:
    assert check_url(url, STRICT).host


def test_plain_http_needs_a_setting() -> None:
    with pytest.raises(InvalidArgument, match="https://"):
        check_url("http://example.com/", STRICT)
    assert check_url("http://example.com/", PLAIN).scheme == "http"


def test_the_error_names_the_field_that_the_caller_filled_in() -> None:
    with pytest.raises(InvalidArgument, match="base_url") as caught:
        check_url("ftp://x.example", STRICT, "base_url")
    assert caught.value.violations[0].field == "base_url"


def test_a_setting_opens_a_network_and_nothing_beside_it() -> None:
    opened = OutboundSettings(networks=("127.0.0.0/8", "fd00::/8"), plain_http=True)
    assert check_url("http://127.0.0.1:9/", opened)
    assert check_url("http://localhost:9/", opened)
    assert check_url("http://[fd00::1]/", opened)
    for url in ("http://10.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://127.1/"):
        with pytest.raises(InvalidArgument):
            check_url(url, opened)


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_never_permitted(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_multicast or address.is_link_local
        or address.is_reserved or address.is_unspecified
    )  # fmt: skip
    assert not (special and permitted(address, STRICT))


@pytest.mark.parametrize("address", ["64:ff9b::7f00:1", "2002:7f00:1::", "192.0.0.8", "224.0.0.1", "fec0::1"])
def test_what_the_standard_library_wrongly_calls_public_is_not_permitted(address: str) -> None:
    """Python 3.11.7 says of each that it is global."""
    assert not permitted(ipaddress.ip_address(address), STRICT)


@given(st.ip_addresses(v=4))
def test_no_disguise_of_an_address_of_version_4_is_permitted(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    disguises = (
        number,  # compatible
        0xFFFF << 32 | number,  # mapped
        0x64FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80,  # 6to4
        0x20010000 << 96 | number << 64 | ~number & 0xFFFFFFFF,  # Teredo
    )
    assert not any(permitted(ipaddress.IPv6Address(disguise), STRICT) for disguise in disguises)


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "https://example.com/"]))
def test_any_text_is_taken_or_refused_and_nothing_else(text: str, prefix: str) -> None:
    try:
        url = check_url(prefix + text, PLAIN)
    except InvalidArgument:
        return
    assert url.scheme in ("http", "https")
    assert url.raw_host
    assert url.raw_host.isascii()
