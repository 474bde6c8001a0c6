"""`python -m auth_service serve | migrate | operator | reset | audit verify | keys list | reencrypt`."""

from auth_service.app import serve
from auth_service.app.commands import audit, keys, make_operator, make_reset, reencrypt
from auth_service.settings import Settings
from chassis.command import Command

if __name__ == "__main__":
    command = Command("auth_service", Settings, serve)
    command.verb("operator", make_operator).verb("reset", make_reset).verb("audit", audit)
    command.verb("keys", keys).verb("reencrypt", reencrypt).main()
