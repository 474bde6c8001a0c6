"""The verbs behind every `python -m NAME`: serve, migrate, worker. One clear line and exit code 2 on bad settings."""

import argparse
import gc
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Generic, TypeVar

import uvloop

from chassis import telemetry
from chassis.context import MissingKey
from chassis.settings import ConfigurationError, ServiceSettings, load

S = TypeVar("S", bound=ServiceSettings)

COLLECT_AT = (20_000, 20, 20)
"""Thresholds of the collector of cycles. Python's own 700 are what a dozen calls under way hold at once: each wave of
them would be looked through, and nothing found, since a call leaves no cycles behind.
"""


class Command(Generic[S]):
    """What `python -m NAME` can do. `serve` is the default verb; `migrate` is there for services with tables."""

    def __init__(self, name: str, settings: type[S], serve: Callable[[S], Awaitable[None]]) -> None:
        """`name` is the service's, for example auth_service; `serve` runs until it is told to stop."""
        self._name = name
        self._settings = settings
        self._verbs: dict[str, Callable[[S, list[str]], Awaitable[None]]] = {"serve": lambda s, _arguments: serve(s)}

    def verb(self, name: str, run: Callable[[S, list[str]], Awaitable[None]]) -> "Command[S]":
        """Adds a verb, for example worker; `run` gets the settings and the arguments after the verb."""
        self._verbs[name] = run
        return self

    def main(self) -> None:
        """Runs the verb that the command line names."""
        migrates = _has_migrations(self._name)
        parser = argparse.ArgumentParser(prog=f"python -m {self._name}")
        verbs = [*self._verbs, *(["migrate"] if migrates else [])]
        parser.add_argument("verb", nargs="?", default="serve", choices=verbs)
        arguments, rest = parser.parse_known_args()
        try:
            if arguments.verb == "migrate":
                migrate(self._name)
                return
            settings = load(self._settings)
            telemetry.configure(self._name, settings)
            # What was imported stays: to look through it again and again would stop the process for 0.1 s at a time.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECT_AT)
            uvloop.run(self._run(arguments.verb, settings, rest))
        except (ConfigurationError, MissingKey) as error:
            print(f"{self._name}: {error}", file=sys.stderr)  # noqa: T201  # the one line for a person
            sys.exit(2)

    async def _run(self, verb: str, settings: S, rest: list[str]) -> None:
        await self._verbs[verb](settings, rest)


def _directory(name: str) -> Path:
    return Path(str(import_module(name).__file__)).parent


def _has_migrations(name: str) -> bool:
    return (_directory(name) / "migrations").is_dir()


def migrate(name: str) -> None:
    """Brings the service's database to its newest schema; works without alembic.ini, as in an image."""
    # Alembic takes 150 ms to import: only for this verb.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    short_name = name.removesuffix("_service")
    config = Config(ini_section=short_name)
    config.set_section_option(short_name, "script_location", str(_directory("chassis") / "alembic"))
    config.set_section_option(short_name, "version_locations", str(_directory(name) / "migrations"))
    config.set_section_option(short_name, "path_separator", "newline")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(str(error)) from error
