"""What an operator does at a command line: `python -m auth_service operator | reset | audit | keys`."""

import argparse

from auth_service.app import alone
from auth_service.service.audit import ChainReport
from auth_service.settings import Settings
from chassis.errors import PlatformError
from chassis.settings import ConfigurationError


async def make_operator(settings: Settings, arguments: list[str]) -> None:
    """`operator --email E`: makes an operator, with the password in AI_PLATFORM_OPERATOR__PASSWORD."""
    parser = argparse.ArgumentParser(prog="python -m auth_service operator")
    parser.add_argument("--email", required=True)
    email = parser.parse_args(arguments).email
    password = settings.operator.password.get_secret_value()
    if not password:
        raise ConfigurationError("AI_PLATFORM_OPERATOR__PASSWORD is not set: it becomes the operator's password")
    async with alone(settings) as parts:
        await parts.use_cases.tenants.ensure_operator(email, password)
    print(f"{email} is an operator")  # noqa: T201  # a command's answer


async def make_reset(settings: Settings, arguments: list[str]) -> None:
    """`reset --email E`: prints the secret with which the user can set a new password, once."""
    parser = argparse.ArgumentParser(prog="python -m auth_service reset")
    parser.add_argument("--email", required=True)
    email = parser.parse_args(arguments).email
    unmailed = settings.model_copy(update={"mail": settings.mail.model_copy(update={"host": ""})})
    async with alone(unmailed) as parts:
        try:
            secret, link = await parts.use_cases.resets.link_for(email)
        except PlatformError as error:
            raise ConfigurationError(error.message) from error
    print(link or secret)  # noqa: T201  # a command's answer


async def audit(settings: Settings, arguments: list[str]) -> None:
    """`audit verify [--tenant ID]`: walks the chains; exits with 1 if one is broken, naming its first broken row."""
    parser = argparse.ArgumentParser(prog="python -m auth_service audit")
    parser.add_argument("what", choices=["verify"])
    parser.add_argument("--tenant", default="", help="the id of one tenant; without it, all are verified")
    tenant = parser.parse_args(arguments).tenant

    def tell(report: ChainReport) -> None:
        print(f"{report.tenant_id}: {report.problem or f'{report.rows} rows, whole'}")  # noqa: T201  # the answer

    async with alone(settings) as parts:
        whole = await parts.use_cases.audit.verify(tell, tenant)
    if not whole:
        raise SystemExit(1)


async def keys(settings: Settings, arguments: list[str]) -> None:
    """`keys list | rotate [--at-once]`: the key pairs of access tokens."""
    parser = argparse.ArgumentParser(prog="python -m auth_service keys")
    parser.add_argument("what", choices=["list", "rotate"])
    parser.add_argument("--at-once", action="store_true", help="the old keys were stolen: their tokens end now")
    asked = parser.parse_args(arguments)
    async with alone(settings) as parts:
        signing = parts.use_cases.signing
        try:
            if asked.what == "rotate":
                await signing.rotate(at_once=asked.at_once)
            for key in await signing.living():
                until = f", retires {key.retires_at.isoformat()}" if key.retires_at else ""
                print(f"{key.id}: signs from {key.active_at.isoformat()}{until}")  # noqa: T201  # a command's answer
        except PlatformError as error:
            raise ConfigurationError(error.message) from error


async def reencrypt(settings: Settings, _arguments: list[str]) -> None:
    """Encrypts under the current secret what is still under a previous one, and signs the heads of the audit log."""
    async with alone(settings) as parts:
        renewed, heads = await parts.use_cases.signing.encrypt_anew(), await parts.use_cases.audit.sign_heads_anew()
    print(f"{renewed} signing keys and {heads} heads of the audit log are under the current secret")  # noqa: T201
