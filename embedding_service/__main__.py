"""`python -m embedding_service serve`."""

from chassis.command import Command
from embedding_service.app import serve
from embedding_service.settings import Settings

if __name__ == "__main__":
    Command("embedding_service", Settings, serve).main()
