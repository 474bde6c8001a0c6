"""`python -m rag_service serve | worker | migrate`."""

from chassis.command import Command
from rag_service.app import serve, work
from rag_service.settings import Settings

if __name__ == "__main__":
    Command("rag_service", Settings, serve).verb("worker", work).main()
