"""In production no process starts on a secret that is missing, short, or a default; each says so in one clear line."""

import asyncio
import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from chassis.context import MissingKey
from chassis.settings import ConfigurationError, load
from chassis.weak import why_weak

SERVICES = (
    "gateway", "auth_service", "usage_service", "rag_service", "llm_service", "embedding_service", "speech_service",
)  # fmt: skip
SIGNS = ("gateway", "auth_service")
STORES = ("usage_service", "rag_service", "llm_service")
CHANCE = random.Random(19)  # noqa: S311  # the same in every run
STRONG = base64.urlsafe_b64encode(CHANCE.randbytes(48)).decode()
WEAK = [
    "change-me-change-me-change-me-change-me",
    "your-secret-key-here-your-secret-key-here",
    "CHANGE_THIS_IN_PRODUCTION_" + "0" * 16,
    "x" * 40,
    "0123456789abcdef" * 4,
    "secret",
    "postgres",
    "abababababababababababababababababab",
    "p@ssword-password-password-password",
    "Your-Secret-Key-Change-Me-In-2026-Please",
    "changeMe9changeMe8changeMe7changeMe6",
    "QWERTY-1234-asdf-5678-yxcv-9012-uiop",
]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AI_PLATFORM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_PLATFORM_ENV", "production")


def wire_keys(name: str) -> str:
    """All that a process could need."""
    pairs = [f"{name}>{name}", *(f"{name}>{one}" for one in SERVICES), *(f"{one}>{name}" for one in SERVICES)]
    return json.dumps({pair: base64.b64encode(CHANCE.randbytes(32)).decode() for pair in pairs})


def refusal(name: str) -> str:
    """What the process says when it does not start. Nothing may be connected to: no address leads anywhere."""
    settings = import_module(f"{name}.settings").Settings
    app = import_module(f"{name}.app")

    async def start() -> None:
        found = load(settings)
        lifespan: Callable[..., Any] = app.compose if name != "gateway" else _gateway
        async with asyncio.timeout(20), lifespan(found):
            raise AssertionError("it started")

    with pytest.raises((ConfigurationError, MissingKey)) as refused:
        asyncio.run(start())
    return str(refused.value)


def _gateway(settings: Any) -> Any:
    from gateway.app import Lifespan

    return Lifespan(settings)(None)  # type: ignore[arg-type]  # it needs no application


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_does_not_start_without_wire_keys(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_JWT__SECRET_KEY", STRONG)
    assert "AI_PLATFORM_WIRE__KEYS is not set" in refusal(name)


@pytest.mark.parametrize("name", SERVICES)
def test_nor_with_wire_keys_that_are_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_JWT__SECRET_KEY", STRONG)
    keys = json.loads(wire_keys(name))
    for wrong in ("c2hvcnQ=", "not base64 at all"):
        monkeypatch.setenv("AI_PLATFORM_WIRE__KEYS", json.dumps(keys | {f"{name}>{name}": wrong}))
        assert "is not base64 of 32 bytes" in refusal(name)


@pytest.mark.parametrize("name", SIGNS)
def test_nor_without_the_tokens_secret_or_with_a_short_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_WIRE__KEYS", wire_keys(name))
    assert "AI_PLATFORM_JWT__SECRET_KEY is not set" in refusal(name)
    monkeypatch.setenv("AI_PLATFORM_JWT__SECRET_KEY", STRONG[:31])
    assert "AI_PLATFORM_JWT__SECRET_KEY is too short" in refusal(name)


@pytest.mark.parametrize("weak", WEAK)
@pytest.mark.parametrize("name", SIGNS)
def test_nor_with_a_default(name: str, weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_WIRE__KEYS", wire_keys(name))
    monkeypatch.setenv("AI_PLATFORM_JWT__SECRET_KEY", weak)
    told = refusal(name)
    assert told.startswith("AI_PLATFORM_JWT__SECRET_KEY ")
    told = told.removesuffix("production needs a secret that was made at random")
    assert weak not in told


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("variable", ["AI_PLATFORM_DATABASE__PASSWORD", "AI_PLATFORM_REDIS__PASSWORD"])
def test_nor_with_a_stores_default_password(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_WIRE__KEYS", wire_keys(name))
    monkeypatch.setenv(variable, "postgres")
    assert refusal(name) == f"{variable} is a well-known value: production needs a secret that was made at random"


def test_it_is_one_line_and_exit_code_2() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environment |= {"AI_PLATFORM_ENV": "production", "AI_PLATFORM_JWT__SECRET_KEY": WEAK[0]}
    done = subprocess.run(
        [sys.executable, "-m", "auth_service"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "AI_PLATFORM_JWT__SECRET_KEY is a default or an example" in done.stderr


@pytest.mark.parametrize("weak", WEAK)
def test_what_is_weak(weak: str) -> None:
    assert why_weak(weak)


def test_what_is_made_at_random_is_not() -> None:
    chance = random.Random(20)  # noqa: S311  # the same in every run
    makers: tuple[Callable[[], str], ...] = (
        lambda: base64.urlsafe_b64encode(chance.randbytes(48)).decode(),
        lambda: chance.randbytes(32).hex(),
        lambda: base64.b64encode(chance.randbytes(32)).decode(),
        lambda: base64.urlsafe_b64encode(chance.randbytes(12)).decode(),
    )
    assert [made for make in makers for _ in range(2000) if why_weak(made := make())] == []
    spelt_by_chance = "Ll8Z8fJ-AXDwAUS2nWrIBW9n5yV2B86R0K65YB9ut2P4Xt2tqWeRTy7Qgw80VKIt"
    assert why_weak(spelt_by_chance) == ""


def test_development_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_ENV", "development")
    monkeypatch.setenv("AI_PLATFORM_JWT__SECRET_KEY", WEAK[0])
    settings = load(import_module("auth_service.settings").Settings)
    assert settings.secret("AI_PLATFORM_JWT__SECRET_KEY", settings.jwt.secret_key) == WEAK[0]
