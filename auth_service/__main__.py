"""`python -m auth_service serve | migrate | operator --email E | audit verify`."""

from auth_service.app import audit, make_operator, serve
from auth_service.settings import Settings
from chassis.command import Command

if __name__ == "__main__":
    Command("auth_service", Settings, serve).verb("operator", make_operator).verb("audit", audit).main()
