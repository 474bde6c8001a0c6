"""Settings: production refuses what is missing or weak, development makes it once; always one clear sentence."""

import base64
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.context import derive_key
from chassis.settings import ConfigurationError, DatabaseSettings, Endpoint, Section, ServiceSettings, kept_secret, load
from tests.standins.echo_service import make_settings

LONG = "x" * 32
PAIR = base64.b64encode(derive_key(b"root", "gateway", "auth_service")).decode()


class ExampleSettings(ServiceSettings):
    database: DatabaseSettings = DatabaseSettings()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, in an empty directory."""
    for name in list(os.environ):
        if name.startswith("AI_PLATFORM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_anything_there_are_defaults() -> None:
    settings = load(ExampleSettings)
    assert (settings.env, settings.debug, settings.database.host, settings.database.port) == (
        "development",
        False,
        "localhost",
        5432,
    )


def test_levels_are_separated_by_two_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_DATABASE__HOST", "db.internal")
    monkeypatch.setenv("AI_PLATFORM_LOG__LEVEL", "debug")
    settings = load(ExampleSettings)
    assert (settings.database.host, settings.log.level) == ("db.internal", "debug")


def test_the_environment_beats_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AI_PLATFORM_DATABASE__HOST=file\nAI_PLATFORM_DATABASE__PORT=6000\nSOMETHING=else\n")
    monkeypatch.setenv("AI_PLATFORM_DATABASE__HOST", "environment")
    settings = load(ExampleSettings)
    assert (settings.database.host, settings.database.port) == ("environment", 6000)


def test_one_knob_leaves_the_rest_of_its_section_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Peer(Section):
        address: str

    class Caller(ServiceSettings):
        llm: Peer = Peer(address="127.0.0.1:50054")

    monkeypatch.setenv("AI_PLATFORM_LLM__ATTEMPTS", "5")
    assert load(Caller).llm.address == "127.0.0.1:50054"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AI_PLATFORM_DATABASE__PORT", "many"),
        ("AI_PLATFORM_ENV", "staging"),
        ("AI_PLATFORM_LOG__FORMAT", "xml"),
        ("AI_PLATFORM_DATABASE__POOL_SIZE", "0"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=rf"^{variable}: ") as caught:
        load(ExampleSettings)
    assert "\n" not in str(caught.value)


def test_broken_json_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_PLATFORM_WIRE__KEYS", "{no json")
    with pytest.raises(ConfigurationError, match=r"(?i)wire"):
        load(ExampleSettings)


class TestSecrets:
    VARIABLE = "AI_PLATFORM_JWT__SECRET_KEY"

    def test_production_needs_one(self) -> None:
        with pytest.raises(ConfigurationError, match=f"{self.VARIABLE} is not set"):
            make_settings(env="production").secret(self.VARIABLE, SecretStr(""))

    @pytest.mark.parametrize("env", ["production", "development"])
    def test_a_short_one_is_refused_everywhere(self, env: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{self.VARIABLE} is too short"):
            make_settings(env=env).secret(self.VARIABLE, SecretStr("x" * 31))

    def test_one_of_32_bytes_is_taken(self) -> None:
        assert make_settings(env="production").secret(self.VARIABLE, SecretStr(LONG)) == LONG

    def test_development_makes_one_and_keeps_it(self, tmp_path: Path) -> None:
        settings = make_settings(data_dir=tmp_path / "data")
        made = settings.secret(self.VARIABLE, SecretStr(""))
        assert len(made) >= 32
        assert settings.secret(self.VARIABLE, SecretStr("")) == made
        assert settings.secret("AI_PLATFORM_WIRE__SECRET", SecretStr("")) != made
        kept = tmp_path / "data/secrets/jwt__secret_key"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700

    def test_processes_that_start_at_once_agree(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(16) as pool:
            made = set(pool.map(lambda _number: kept_secret(tmp_path, "wire__secret"), range(64)))
        assert len(made) == 1

    def test_an_empty_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets/name").touch()
        with pytest.raises(ConfigurationError, match="is empty"):
            kept_secret(tmp_path, "name")

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="cannot keep a secret in"):
            kept_secret(tmp_path / "file", "name")

    def test_they_are_not_printed(self) -> None:
        settings = ExampleSettings(_env_file=None, database=DatabaseSettings(password=SecretStr("hunter2")))
        assert "hunter2" not in repr(settings)


class TestKeyring:
    def test_production_takes_pair_keys_only(self) -> None:
        with pytest.raises(ConfigurationError, match="AI_PLATFORM_WIRE__KEYS is not set"):
            make_settings(env="production", wire={"secret": LONG}).keyring("gateway")

    def test_pair_keys_are_all_there_is(self) -> None:
        ring = make_settings(env="production", wire={"keys": {"gateway>auth_service": PAIR}}).keyring("gateway")
        assert ring.key("gateway", "auth_service") == derive_key(b"root", "gateway", "auth_service")
        assert ring.key("gateway", "llm_service") is None

    def test_in_development_one_root_gives_each_its_own(self) -> None:
        ring = make_settings(wire={"secret": LONG}).keyring("gateway")
        assert ring.key("gateway", "llm_service") == derive_key(LONG.encode(), "gateway", "llm_service")

    @pytest.mark.parametrize("key", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
    def test_a_broken_key_is_named_and_not_told(self, key: str) -> None:
        with pytest.raises(ConfigurationError, match="gateway>auth_service") as caught:
            make_settings(wire={"keys": {"gateway>auth_service": key}}).keyring("gateway")
        assert not key or key not in str(caught.value)


def test_listen_is_the_address_unless_said_otherwise() -> None:
    assert Endpoint(address="127.0.0.1:50051").bind == "127.0.0.1:50051"
    assert Endpoint(address="auth:50051", listen="0.0.0.0:50051").bind == "0.0.0.0:50051"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"AI_PLATFORM_ENV": "production"}, "AI_PLATFORM_JWT__SECRET_KEY is not set"),
        ({"AI_PLATFORM_JWT__SECRET_KEY": "weak"}, "AI_PLATFORM_JWT__SECRET_KEY is too short"),
        ({"AI_PLATFORM_AUTH__OPS_PORT": "x"}, "AI_PLATFORM_AUTH__OPS_PORT: "),
        ({"AI_PLATFORM_WIRE__KEYS": "{"}, "wire"),
    ],
)
def test_a_process_stops_with_one_line(environment: dict[str, str], sentence: str, tmp_path: Path) -> None:
    needed = {"PATH": os.environ["PATH"], "AI_PLATFORM_AUTH__OPS_PORT": "0", "AI_PLATFORM_AUTH__ADDRESS": "127.0.0.1:0"}
    command = [sys.executable, "-m", "auth_service"]
    done = subprocess.run(
        command, env=needed | environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("auth_service: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
