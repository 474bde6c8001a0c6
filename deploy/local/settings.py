"""What the laptop can be told: where its data is, and on which port the gateway listens."""

from pathlib import Path

from pydantic import Field, SecretStr

from chassis.settings import ConfigurationError, DatabaseSettings, Section, ServiceSettings, load
from deploy.local.errors import LocalError


class PublicPort(Section):
    """The gateway's port; 0 means any that is free."""

    port: int = Field(default=8000, ge=0, le=65535)


class LocalSettings(ServiceSettings):
    """Settings of the local platform."""

    database: DatabaseSettings = DatabaseSettings()
    role_passwords: dict[str, SecretStr] = Field(default={})
    """Of the roles that run, by the database's short name; `database.password` for those that are not named."""
    gateway: PublicPort = PublicPort()
    models_dir: Path | None = None

    @property
    def models_directory(self) -> Path:
        """Where the model files are."""
        return (self.models_dir or self.data_dir / "models").resolve()


def load_local() -> LocalSettings:
    """The settings; LocalError names what is wrong."""
    try:
        return load(LocalSettings)
    except ConfigurationError as error:
        raise LocalError(str(error)) from None
