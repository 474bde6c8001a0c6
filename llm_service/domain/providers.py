"""Which kinds of providers there are, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Providers:
    """By name. `without_address`: reached only where a deployment or a key says."""

    known: frozenset[str]
    without_address: frozenset[str]

    @property
    def open(self) -> frozenset[str]:
        """Every model of theirs is reached as PROVIDER/NAME; the local engine has but the one in the catalogue."""
        return self.known - self.without_address - {"local"}

    @property
    def keyed(self) -> frozenset[str]:
        """For which there can be keys."""
        return self.known - {"local"}
