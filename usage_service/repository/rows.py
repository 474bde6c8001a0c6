"""What every group of queries is made with."""

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.jobs import Jobs


class Rows:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection, jobs: Jobs) -> None:
        self._db = connection
        self._jobs = jobs
