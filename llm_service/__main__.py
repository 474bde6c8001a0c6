"""`python -m llm_service serve | migrate | reencrypt`."""

from chassis.command import Command
from llm_service.app import reencrypt, serve
from llm_service.settings import Settings

if __name__ == "__main__":
    Command("llm_service", Settings, serve).verb("reencrypt", reencrypt).main()
