"""`python -m usage_service serve | worker | migrate | rebuild TENANT... | reencrypt`."""

from chassis.command import Command
from usage_service.app import rebuild, reencrypt, serve, work
from usage_service.settings import Settings

if __name__ == "__main__":
    command = Command("usage_service", Settings, serve).verb("worker", work).verb("rebuild", rebuild)
    command.verb("reencrypt", reencrypt).main()
