"""`python -m usage_service serve | worker | migrate | rebuild TENANT...`."""

from chassis.command import Command
from usage_service.app import rebuild, serve, work
from usage_service.settings import Settings

if __name__ == "__main__":
    Command("usage_service", Settings, serve).verb("worker", work).verb("rebuild", rebuild).main()
