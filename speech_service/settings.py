"""What the speech service can be told."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr

from chassis.settings import Endpoint, RedisSettings, ServiceSettings


class SpeechSection(Endpoint):
    """The service itself."""

    address: str = "127.0.0.1:50056"
    ops_port: int = 9006
    threads: int = Field(default=2, ge=1, le=256)
    """Cores that each local model uses."""
    queue: int = Field(default=16, ge=0, le=10_000)
    """Calls that wait for a local model; it works on one at a time."""
    idle_seconds: float = Field(default=600, gt=0)
    """After so long without work a local model gives its memory back."""
    max_audio_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    max_audio_seconds: float = Field(default=4 * 3600, gt=0)
    max_input_characters: int = Field(default=4096, ge=1, le=100_000)
    timeout_seconds: float = Field(default=600, gt=0, le=7200)


class Settings(ServiceSettings):
    """All of it. The provider's own names of variables work without the prefix."""

    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    speech: SpeechSection = SpeechSection()
    models_dir: Path | None = None
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias=AliasChoices("OPENAI_API_KEY"))
    openai_base_url: str = Field(default="https://api.openai.com/v1", validation_alias=AliasChoices("OPENAI_BASE_URL"))

    @property
    def models_directory(self) -> Path:
        """Where the local models are."""
        return self.models_dir or self.data_dir / "models"
