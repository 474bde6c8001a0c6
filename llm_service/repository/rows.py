"""What every group of queries is made with."""

from sqlalchemy.ext.asyncio import AsyncConnection


class Rows:
    """Queries of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._db = connection
