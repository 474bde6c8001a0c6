"""`python -m auth_service serve | migrate | operator --email E | reset --email E | audit verify | keys list`."""

from auth_service.app import serve
from auth_service.app.commands import audit, keys, make_operator, make_reset
from auth_service.settings import Settings
from chassis.command import Command

if __name__ == "__main__":
    command = Command("auth_service", Settings, serve)
    command.verb("operator", make_operator).verb("reset", make_reset).verb("audit", audit)
    command.verb("keys", keys).main()
