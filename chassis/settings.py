"""What every process can be told by its environment. Owns the common settings and where secrets come from.

All names start with AI_PLATFORM_; `__` stands between levels; a `.env` file in the working directory is read.
Each service derives its own `Settings`; nothing else reads the environment.
"""

import base64
import binascii
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from chassis.context import Keyring
from chassis.envelope import Envelope
from chassis.weak import why_weak

MIN_SECRET_BYTES = 32

MAX_PAYLOAD_BYTES = 31 * 1024 * 1024
"""Of a document in a message between services."""


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class LogSettings(Section):
    """How to log: `json` for machines, `console` for people."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class DatabaseSettings(Section):
    """Where PostgreSQL is. Database and role names follow from the service's name: aisp_<short>."""

    host: str = "localhost"
    port: int = 5432
    password: SecretStr = SecretStr("")
    owner_password: SecretStr = SecretStr("")
    pool_size: int = Field(default=10, ge=1, le=200)


class RedisSettings(Section):
    """Where a Valkey or Redis is."""

    host: str = "localhost"
    """A name, an address, or the path of a Unix socket: on one machine that is the shorter way."""
    port: int = 6379
    password: SecretStr = SecretStr("")

    @property
    def socket(self) -> str:
        """The path, where `host` is one; else empty."""
        return self.host if self.host.startswith("/") else ""


class WireSettings(Section):
    """Keys of the signed context: this process's own pairs, or (development) one root for all."""

    keys: dict[str, SecretStr] = {}
    secret: SecretStr = SecretStr("")


class EncryptionSettings(Section):
    """The secret under which secrets are encrypted at rest, and those before it, until all is encrypted anew."""

    secret: SecretStr = SecretStr("")
    previous: tuple[SecretStr, ...] = ()


class TelemetrySettings(Section):
    """Traces are exported over OTLP/gRPC when an endpoint is set; this share of requests is sampled."""

    otlp_endpoint: str = ""
    sample_ratio: float = Field(default=0.05, ge=0, le=1)


class OutboundSettings(Section):
    """Calls to addresses that a tenant chose (webhooks, providers and issuers of their own)."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Reached although they are not public: a model server in the cluster, loopback in development."""
    plain_http: bool = False
    connect_seconds: float = Field(default=5, gt=0, le=60)
    total_seconds: float = Field(default=15, gt=0, le=300)
    max_answer_bytes: int = Field(default=1_048_576, ge=1024, le=2**30)


class RelaySettings(Section):
    """The relay: calls between services as frames on a few sockets. Off, each is a gRPC call of its own."""

    enabled: bool = True
    streams: int = Field(default=1, ge=1, le=64)
    """Sockets to each service that is called; more spread over its replicas."""
    window_bytes: int = Field(default=256 * 1024, ge=1024, le=2**31)
    """Of a streaming call's responses, on their way and not yet taken."""
    max_request_bytes: int = Field(default=256 * 1024, ge=0, le=16 * 1024 * 1024)
    """A larger request goes by itself, so that others need not wait behind it."""
    max_calls: int = Field(default=10_000, ge=1)
    """Open at once on one socket, at the service."""
    max_links: int = Field(default=1_000, ge=1)
    """Sockets open at once, at the service."""
    connect_seconds: float = Field(default=1, gt=0, le=60)
    """Until a socket is open and both sides know each other. Calls go by gRPC where that fails."""
    heartbeat_seconds: float = Field(default=5, gt=0, le=300)
    """A socket on which nothing was heard is asked after so long, and given up after three times more."""
    sockets: str = ""
    """The directory in which a service takes callers of its own machine, on a Unix socket beside the port."""


class Endpoint(Section):
    """Where a service is, and where it listens. Ports of operations (/livez /readyz /metrics) are its own."""

    address: str = ""
    listen: str = ""
    relay_port: int = Field(default=0, ge=0, le=65_535)
    """Where the relay's sockets are taken, on the same host; 0: a free one, which callers are told."""
    ops_host: str = "127.0.0.1"
    ops_port: int = 0
    worker_ops_port: int = 0
    drain_seconds: float = Field(default=8, ge=0, le=3600)

    @property
    def bind(self) -> str:
        """The address to listen on."""
        return self.listen or self.address

    @property
    def bind_host(self) -> str:
        """Its host alone."""
        return self.bind.rpartition(":")[0].strip("[]")


class ServiceSettings(BaseSettings):
    """Settings that every process has."""

    model_config = SettingsConfigDict(
        env_prefix="AI_PLATFORM_",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        # One knob of a section set alone leaves the rest of it as it is by default.
        nested_model_default_partial_update=True,
        extra="ignore",
        frozen=True,
    )

    env: Literal["development", "production"] = "development"
    debug: bool = False
    data_dir: Path = Path(".data")
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    relay: RelaySettings = RelaySettings()
    wire: WireSettings = WireSettings()
    encryption: EncryptionSettings = EncryptionSettings()

    @property
    def production(self) -> bool:
        """Whether this is production, where a missing or weak secret is fatal."""
        return self.env == "production"

    def keyring(self, name: str) -> Keyring:
        """The pair keys of the process `name`."""
        keys = {pair: key.get_secret_value() for pair, key in self.wire.keys.items()}
        if keys:
            if broken := [pair for pair, key in keys.items() if not _is_wire_key(key)]:
                message = f"AI_PLATFORM_WIRE__KEYS: the key of {broken[0]} is not base64 of {MIN_SECRET_BYTES} bytes"
                raise ConfigurationError(message)
            return Keyring(name, keys=keys)
        if self.production:
            message = "AI_PLATFORM_WIRE__KEYS is not set: production needs the keys of this process's own pairs"
            raise ConfigurationError(message)
        return Keyring(name, root=self.secret("AI_PLATFORM_WIRE__SECRET", self.wire.secret).encode())

    def secret(self, variable: str, value: SecretStr) -> str:
        """The secret set by `variable`. In development a missing one is made once and kept in the data directory.

        Raises ConfigurationError in production if it is missing (or a default, as `load` sees for every secret), and
        anywhere if it is shorter than 32 bytes.
        """
        found = value.get_secret_value()
        if not found and self.production:
            raise ConfigurationError(f"{variable} is not set: production needs one of at least 32 bytes")
        if not found:
            return kept_secret(self.data_dir, variable.removeprefix("AI_PLATFORM_").lower())
        if len(found.encode()) < MIN_SECRET_BYTES:
            raise ConfigurationError(f"{variable} is too short: it needs at least 32 bytes")
        return found

    def envelope(self, purpose: str, fallback: str = "") -> Envelope:
        """Encrypts at rest for one purpose. `fallback`: another secret of this process, used while none is set.

        Raises ConfigurationError as `secret` does.
        """
        unset = fallback and not self.encryption.secret.get_secret_value()
        current = fallback if unset else self.secret("AI_PLATFORM_ENCRYPTION__SECRET", self.encryption.secret)
        previous = [self.secret("AI_PLATFORM_ENCRYPTION__PREVIOUS", one).encode() for one in self.encryption.previous]
        if fallback:
            # What was encrypted before a secret was set opens still.
            previous.append(fallback.encode())
        return Envelope(purpose, current.encode(), previous)


def _is_wire_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == MIN_SECRET_BYTES
    except binascii.Error:
        return False


class ConfigurationError(ValueError):
    """Settings with which a process cannot start; the text is one clear sentence."""


def kept_secret(data_dir: Path, name: str) -> str:
    """A secret of this installation: read from the data directory, or made and kept there (mode 0600)."""
    path = data_dir / "secrets" / name
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _await_content(path)
    except OSError as error:
        raise ConfigurationError(f"cannot keep a secret in {path.parent}: {error.strerror or error}") from error
    with os.fdopen(descriptor, "w") as file:
        made = secrets.token_urlsafe(48)
        file.write(made)
    return made


def _await_content(path: Path) -> str:
    """Another process may have created the file just now and not have written it yet."""
    for _ in range(100):
        content = path.read_text().strip()
        if content:
            return content
        time.sleep(0.01)
    raise ConfigurationError(f"{path} is empty: remove it, and a new secret is made")


S = TypeVar("S", bound=ServiceSettings)


def load(kind: type[S]) -> S:
    """The settings out of the environment; ConfigurationError names the variable that is wrong."""
    try:
        settings = kind()
    except ValidationError as error:
        first = error.errors()[0]
        name = "__".join(str(part) for part in first["loc"])
        # A provider's own variable (OPENAI_API_KEY) stands there as it is, in capitals.
        variable = name if name.isupper() else f"AI_PLATFORM_{name.upper()}"
        raise ConfigurationError(f"{variable}: {first['msg']}") from None
    except SettingsError as error:
        raise ConfigurationError(f"{error}: it takes JSON") from None
    if settings.production:
        for name, secret in _secrets(settings, ""):
            if problem := why_weak(secret):
                variable = name if name in os.environ else f"AI_PLATFORM_{name}"
                raise ConfigurationError(f"{variable} {problem}: production needs a secret that was made at random")
    return settings


def _secrets(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Every secret that is set, with its variable's name."""
    if isinstance(value, SecretStr):
        if secret := value.get_secret_value():
            yield name.upper(), secret
        return
    if isinstance(value, BaseModel):
        items: Iterable[tuple[object, object]] = ((field, getattr(value, field)) for field in type(value).model_fields)
    elif isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, tuple):
        items = (("", one) for one in value)
    else:
        return
    for part, inner in items:
        yield from _secrets(inner, "__".join(filter(None, (name, str(part)))))
