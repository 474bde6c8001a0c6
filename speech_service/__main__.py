"""`python -m speech_service serve`."""

from chassis.command import Command
from speech_service.app import serve
from speech_service.settings import Settings

if __name__ == "__main__":
    Command("speech_service", Settings, serve).main()
