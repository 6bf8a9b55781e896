"""The one place where the objects of this deployable are made."""

from collections.abc import Callable

from process.configuration import refuse
from services.job_status.deployment import Deployment
from services.job_status.settings import JobStatusSettings
from services.job_status.source import JobStatusSource
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.job_table import JobTableSource
from services.job_status.sources.laravel import LaravelSource

SOURCES: dict[str, Callable[[JobStatusSettings], JobStatusSource]] = {
    "laravel": lambda settings: LaravelSource(_database(settings), settings.laravel_table),
    "job_table": lambda settings: JobTableSource(_database(settings), settings.job_table),
}
"""The queues that can be asked, by the name that JOB_STATUS_SOURCE gives them."""


def build(settings: JobStatusSettings) -> Deployment:
    """Return the deployable, not started; exit 78 if there is no such source."""
    open_source = SOURCES.get(settings.source)
    if open_source is None:
        refuse(f"JOB_STATUS_SOURCE: must be one of {', '.join(SOURCES)}")
    return Deployment(open_source(settings), settings)


def _database(settings: JobStatusSettings) -> QueueDatabase:
    return QueueDatabase(settings.database_url.get_secret_value())
