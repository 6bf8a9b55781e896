"""What an operator may know about the database and the reconciler. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The database, and the last pass."""

    database: str
    """Its kind and version, for example MySQL 9.7.4: neither a host nor a user."""
    last_pass_time: datetime | None
    """When the last pass over all batches ended; None if none has."""
