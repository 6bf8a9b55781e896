"""The one place where the objects of this deployable are made.

A queue's library costs up to 60 MiB and half a second, so a source is imported when it is asked for.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable

from process.configuration import refuse
from services.job_status.deployment import Deployment
from services.job_status.settings import JobStatusSettings
from services.job_status.source import JobStatusSource
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.redis import QueueRedis


def build(settings: JobStatusSettings) -> Deployment:
    """Return the deployable, not started; exit 78 if there is no such source."""
    open_source = SOURCES.get(settings.source)
    if open_source is None:
        refuse(f"JOB_STATUS_SOURCE: must be one of {', '.join(SOURCES)}")
    return Deployment(open_source(settings), settings)


def _laravel(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.laravel import LaravelSource

    return LaravelSource(_database(settings), settings.laravel_table)


def _job_table(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.job_table import JobTableSource

    return JobTableSource(_database(settings), settings.job_table)


def _celery(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.celery import CelerySource, DatabaseResults, RedisResults

    if settings.redis_url is None and settings.database_url is None:
        refuse("JOB_STATUS_REDIS_URL or JOB_STATUS_DATABASE_URL: the source celery needs one of them")
    if settings.redis_url is not None and settings.database_url is not None:
        refuse("JOB_STATUS_REDIS_URL and JOB_STATUS_DATABASE_URL: the source celery takes only one of them")
    if settings.redis_url is not None:
        return CelerySource(RedisResults(_redis(settings)))
    return CelerySource(DatabaseResults(_database(settings), extended=settings.celery_result_extended))


def _rq(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.rq import RqSource

    return RqSource(_redis(settings))


def _kubernetes(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.kubernetes import KubernetesSource

    if settings.kubernetes_namespace is None:
        refuse("JOB_STATUS_KUBERNETES_NAMESPACE: the source kubernetes needs it")
    return KubernetesSource(
        settings.kubernetes_namespace,
        settings.kubernetes_batch_label,
        config_file=settings.kubernetes_config,
    )


SOURCES: dict[str, Callable[[JobStatusSettings], JobStatusSource]] = {
    "laravel": _laravel,
    "job_table": _job_table,
    "celery": _celery,
    "rq": _rq,
    "kubernetes": _kubernetes,
}
"""The queues that can be asked, by the name that JOB_STATUS_SOURCE gives them."""


def _database(settings: JobStatusSettings) -> QueueDatabase:
    if settings.database_url is None:
        refuse(f"JOB_STATUS_DATABASE_URL: the source {settings.source} needs it")
    return QueueDatabase(settings.database_url.get_secret_value())


def _redis(settings: JobStatusSettings) -> QueueRedis:
    if settings.redis_url is None:
        refuse(f"JOB_STATUS_REDIS_URL: the source {settings.source} needs it")
    return QueueRedis(settings.redis_url.get_secret_value())
