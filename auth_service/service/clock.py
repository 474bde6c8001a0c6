"""What every use case means by a clock."""

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""The time, in UTC; tests bring their own."""
