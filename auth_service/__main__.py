"""`python -m auth_service serve | migrate | operator --email E`."""

from auth_service.app import make_operator, serve
from auth_service.settings import Settings
from chassis.command import Command

if __name__ == "__main__":
    Command("auth_service", Settings, serve).verb("operator", make_operator).main()
