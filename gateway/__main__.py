"""`python -m gateway serve`."""

from chassis.command import Command
from gateway.app import serve
from gateway.settings import Settings

if __name__ == "__main__":
    Command("gateway", Settings, serve).main()
