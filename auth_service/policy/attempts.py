"""How often somebody may try, so that guessing is hopeless and nobody can lock somebody else out.

A log-in from a network that the user logged in from before is counted with the attempts from there only; all others
on the account are counted together. So whoever guesses from elsewhere uses up what strangers have, not what the
person has. Failures from one network are counted over all accounts, too: a few passwords tried on many accounts.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from auth_service.domain.attempts import Bucket


@dataclass(frozen=True, slots=True)
class AttemptRules:
    """Failures allowed in a window of so many seconds, and mails in an hour."""

    seconds: int = 300
    per_account: int = 10
    per_network: int = 100
    mails_per_account: int = 3
    mails_per_network: int = 30
    known_days: int = 90
    known_networks: int = 20
    """That are remembered for one user."""

    @property
    def known(self) -> timedelta:
        """How long a network is remembered."""
        return timedelta(days=self.known_days)


HOUR = 3600


def network_of(address: str) -> str:
    """What is counted as one place: an IPv4 address, or the /64 that an IPv6 address is chosen in."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)


def of_log_in(email: str, address: str, rules: AttemptRules, *, known: bool) -> tuple[Bucket, ...]:
    """What a log-in counts against. `known`: the user logged in from this network before."""
    network = network_of(address)
    account = ("known", email, network) if known else ("strangers", email)
    return (
        _bucket(rules.per_account, rules.seconds, *account),
        _bucket(rules.per_network, rules.seconds, "network", network),
    )


def of_network(address: str, rules: AttemptRules) -> tuple[Bucket, ...]:
    """What an attempt counts against of which no account is known."""
    return (_bucket(rules.per_network, rules.seconds, "network", network_of(address)),)


def of_mail(email: str, address: str, rules: AttemptRules) -> tuple[Bucket, ...]:
    """What asking for a mail counts against: others can use up little of what the person has."""
    network = network_of(address)
    return (
        _bucket(rules.mails_per_account, HOUR, "mail", email, network),
        _bucket(rules.mails_per_account * 5, HOUR, "mail", email),
        _bucket(rules.mails_per_network, HOUR, "mails", network),
    )


def _bucket(limit: int, seconds: int, *parts: str) -> Bucket:
    return Bucket(hashlib.sha256("\0".join(parts).encode()).digest(), limit, seconds)
