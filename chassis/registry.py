"""A table of names: which class stands behind a name in the settings. Classes are imported when chosen, not before."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from chassis.settings import ConfigurationError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names -> "module:Class". The table is written out in a service's adapters/registry.py; nothing is scanned."""

    def __init__(self, kind: str, rows: Mapping[str, str]) -> None:
        """`kind` says in errors what is looked up, for example "vector store"."""
        self._kind = kind
        self._rows = dict(rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def load(self, name: str) -> Any:
        """The class behind `name`; ConfigurationError names the choices if there is none."""
        if name not in self._rows:
            message = f"unknown {self._kind} {name!r}: choose one of {', '.join(sorted(self._rows))}"
            raise ConfigurationError(message)
        module, _, attribute = self._rows[name].partition(":")
        return getattr(import_module(module), attribute)
