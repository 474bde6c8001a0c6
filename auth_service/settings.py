"""What the auth service can be told."""

from typing import Literal

from pydantic import Field, SecretStr

from chassis.settings import DatabaseSettings, Endpoint, OutboundSettings, RedisSettings, Section, ServiceSettings


class JwtSettings(Section):
    """Access tokens. The gateway verifies with the same section."""

    secret_key: SecretStr = SecretStr("")
    algorithm: Literal["HS256", "EdDSA"] = "HS256"
    """HS256 signs with the secret; EdDSA with key pairs that rotate, whose public halves everybody may have."""
    issuer: str = "aisp"
    audience: str = "aisp"
    access_seconds: int = Field(default=900, ge=60, le=86_400)
    rotation_lead_seconds: float = Field(default=60, ge=0, le=86_400)
    """From publishing a new key pair to signing with it."""


class MailSettings(Section):
    """The SMTP server that sends mail; without one, links are shown to those who make them."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = "AI Service Platform <no-reply@localhost>"
    seconds: float = Field(default=20, gt=0, le=120)
    page_url: str = ""
    """Where the pages are that links lead to."""


class AttemptSettings(Section):
    """How often somebody may fail to log in, and have mail sent."""

    seconds: int = Field(default=300, ge=1, le=86_400)
    per_account: int = Field(default=10, ge=1, le=10_000)
    per_network: int = Field(default=100, ge=1, le=1_000_000)
    mails_per_account: int = Field(default=3, ge=1, le=1000)
    mails_per_network: int = Field(default=30, ge=1, le=100_000)
    known_days: int = Field(default=90, ge=1, le=3650)
    known_networks: int = Field(default=20, ge=1, le=1000)


class PasswordSettings(Section):
    """What a new password must be, and what hashing one costs (Argon2id)."""

    characters: int = Field(default=8, ge=8, le=64)
    guesses: int = Field(default=6, ge=0, le=18)
    """As a power of ten: so many guesses a good guesser needs at least."""
    memory_kib: int = Field(default=65_536, ge=19_456, le=4_194_304)
    passes: int = Field(default=3, ge=1, le=100)
    lanes: int = Field(default=4, ge=1, le=64)


class AuthSection(Endpoint):
    """The service itself."""

    address: str = "127.0.0.1:50051"
    ops_port: int = 9001
    refresh_days: int = Field(default=30, ge=1, le=365)
    refresh_grace_seconds: int = Field(default=30, ge=0, le=300)
    password_workers: int = Field(default=2, ge=1, le=64)
    """Passwords hashed at once: each takes 64 MB and a core for 200 ms."""
    password_queue: int = Field(default=32, ge=0, le=10_000)
    heartbeat_seconds: float = Field(default=0.25, gt=0, le=10)
    last_use_seconds: float = Field(default=5, gt=0, le=60)
    """How often it is written when keys were used last."""
    changes_kept_seconds: int = Field(default=3600, ge=60)
    attempts: AttemptSettings = AttemptSettings()
    password: PasswordSettings = PasswordSettings()
    confirm_registrations: bool = False
    """Registers only after the address was confirmed by mail, so that nobody learns whether it has an account."""
    link_hours: int = Field(default=24, ge=1, le=720)
    """How long links to confirm an address or to set a password are good for."""
    invitation_days: int = Field(default=7, ge=1, le=90)
    max_invitations: int = Field(default=200, ge=1, le=100_000)
    """Open ones of a tenant."""
    max_members: int = Field(default=10_000, ge=1, le=1_000_000)
    max_issuers: int = Field(default=10, ge=0, le=1000)
    """Identity providers of a tenant."""
    issuer_keys_seconds: float = Field(default=600, ge=10, le=86_400)
    issuer_leeway_seconds: float = Field(default=30, ge=0, le=300)
    deletion_grace_seconds: float = Field(default=0, ge=0, le=7_776_000)
    """From deleting a tenant, which closes it at once, to removing anything; so long an operator can take it back."""
    erasure_settle_seconds: float = Field(default=1020, ge=0, le=86_400)
    """Until a second look for what calls under way left behind: longer than any call takes and access tokens live."""
    jobs_at_once: int = Field(default=4, ge=1, le=64)
    jobs_poll_seconds: float = Field(default=5, gt=0, le=60)


class AuditSettings(Section):
    """The audit log."""

    max_detail_bytes: int = Field(default=16_384, ge=256, le=1_048_576)
    """Of what a row tells of before, and of after; more is left out, and the row says so."""


class OidcSettings(Section):
    """An issuer of OpenID Connect that the operator trusts for tenants, beside those that tenants trust themselves."""

    issuer: str = ""
    """Exactly as the claim `iss` says it; empty: there is none."""
    audience: str = ""
    jwks_url: str = ""
    """Where its keys are; empty: where its discovery document says."""
    email_claim: str = Field(default="email", min_length=1, max_length=100)
    name_claim: str = Field(default="name", min_length=1, max_length=100)
    role_claim: str = Field(default="", max_length=100)
    roles: dict[str, Literal["owner", "admin", "developer", "viewer"]] = Field(default={}, max_length=50)
    default_role: Literal["", "owner", "admin", "developer", "viewer"] = ""
    tenant_claim: str = Field(default="", max_length=100)
    """The claim that holds the tenant's id."""
    tenants: tuple[str, ...] = ()
    """The only tenants that it may speak for; none: any that the claim names."""


class OperatorSettings(Section):
    """The password that `python -m auth_service operator` sets."""

    password: SecretStr = SecretStr("")


class Settings(ServiceSettings):
    """All of it."""

    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    cache: RedisSettings | None = None
    jwt: JwtSettings = JwtSettings()
    auth: AuthSection = AuthSection()
    mail: MailSettings = MailSettings()
    operator: OperatorSettings = OperatorSettings()
    audit: AuditSettings = AuditSettings()
    outbound: OutboundSettings = OutboundSettings()
    oidc: OidcSettings = OidcSettings()
