"""`.env.example` names exactly the settings that exist, each with a comment, and none of them by a wrong default."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from chassis.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"
ROW = re.compile(r"^(?P<off># ?)?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$")
OTHERS = {"AISP_RECORDINGS", "AISP_BASE_URL"}
"""Read by tests only."""


def models() -> list[type[ServiceSettings]]:
    """The settings of every process."""
    modules = [
        *sorted(ROOT.glob("*_service/settings.py")),
        ROOT / "gateway/settings.py",
        ROOT / "deploy/local/settings.py",
    ]
    found: list[type[ServiceSettings]] = []
    for path in modules:
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, ServiceSettings) and value.__module__ == module.__name__
        ]
    return found


def section(annotation: Any) -> type[BaseModel] | None:
    """The group of settings that a field holds, if it does."""
    if get_origin(annotation) in (Union, UnionType):
        return next((found for part in get_args(annotation) if (found := section(part))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def walk(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for key, field in model.model_fields.items():
        alias = field.validation_alias
        name = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{key.upper()}"
        inner = section(field.annotation)
        if inner is None:
            yield name, field
        else:
            yield from walk(inner, f"{name}__")


def existing() -> set[str]:
    return {name for model in models() for name, _field in walk(model, "AI_PLATFORM_")}


def rows() -> list[tuple[str, str, str]]:
    """Name, value and the line above of each setting in the example."""
    lines = EXAMPLE.read_text().splitlines()
    return [
        (match["name"], match["value"], lines[number - 1])
        for number, line in enumerate(lines)
        if (match := ROW.match(line))
    ]


def test_all_processes_are_seen() -> None:
    assert {model.__module__.split(".")[0] for model in models()} == {
        "gateway",
        "deploy",
        *(f"{short}_service" for short in ("auth", "usage", "rag", "llm", "embedding", "speech")),
    }


def test_it_names_what_exists_and_nothing_else() -> None:
    named = {name for name, _value, _above in rows()}
    assert {"missing": sorted(existing() - named), "unknown": sorted(named - existing() - OTHERS)} == {
        "missing": [],
        "unknown": [],
    }


def test_each_once() -> None:
    names = [name for name, _value, _above in rows()]
    assert sorted(names) == sorted(set(names))


def test_each_has_a_comment() -> None:
    """A comment, or another setting of the same comment, stands above."""
    assert [name for name, _value, above in rows() if not above.startswith("#") and not ROW.match(above)] == []


def test_no_secret_is_given_away() -> None:
    secret = {
        name for model in models() for name, field in walk(model, "AI_PLATFORM_") if field.annotation is SecretStr
    }
    assert {name: value for name, value, _above in rows() if name in secret and value} == {}


def test_what_it_shows_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value, _above in rows()))
    monkeypatch.chdir(tmp_path)
    for name in existing():
        monkeypatch.delenv(name, raising=False)
    for model in models():
        assert model() == model(_env_file=None), model.__module__
