"""Deadlines and retries of each method, out of the service config: what grpc does for calls of its own."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class Rule:
    """Of one method. Seconds; `attempts` in all."""

    timeout: float | None = None
    attempts: int = 1
    first_pause: float = 0.0
    longest_pause: float = 0.0
    growth: float = 1.0
    codes: frozenset[int] = frozenset()

    def pause(self, attempt: int, code: int) -> float | None:
        """Seconds before the next attempt after the failed one (from 1), or None to give up."""
        if attempt >= self.attempts or code not in self.codes:
            return None
        ceiling = min(self.longest_pause, self.first_pause * self.growth ** (attempt - 1))
        return random.uniform(0, ceiling)  # noqa: S311  # jitter is no secret


class Rules:
    """The rules of a service config (JSON, as grpc reads it)."""

    def __init__(self, service_config: str) -> None:
        self._rules: dict[tuple[str, str], Rule] = {}
        for item in json.loads(service_config).get("methodConfig", ()):
            rule = _rule(item)
            for name in item.get("name", ()):
                self._rules.setdefault((name.get("service", ""), name.get("method", "")), rule)

    def of(self, method: str) -> Rule:
        """The rule of a method's full path: its own, its service's, everybody's."""
        service, _, name = method.lstrip("/").rpartition("/")
        for key in ((service, name), (service, ""), ("", "")):
            if key in self._rules:
                return self._rules[key]
        return Rule()


def _rule(item: Mapping[str, Any]) -> Rule:
    timeout = _seconds(item["timeout"]) if "timeout" in item else None
    policy = item.get("retryPolicy")
    if not policy:
        return Rule(timeout)
    return Rule(
        timeout,
        int(policy["maxAttempts"]),
        _seconds(policy["initialBackoff"]),
        _seconds(policy["maxBackoff"]),
        float(policy["backoffMultiplier"]),
        frozenset(grpc.StatusCode[name].value[0] for name in policy["retryableStatusCodes"]),
    )


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))
