"""`python -m llm_service serve | migrate`."""

from chassis.command import Command
from llm_service.app import serve
from llm_service.settings import Settings

if __name__ == "__main__":
    Command("llm_service", Settings, serve).main()
