"""The one place where the job-status server is put together.

A queue's library costs up to 60 MiB and half a second, so a source is imported only when it is used.
"""
# ruff: noqa: PLC0415

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from batchprogress.v1 import job_status_pb2_grpc
from process.configuration import refuse
from rpc.callers.limits import Limits
from rpc.serving.deployable import Deployable, Service
from rpc.telemetry.telemetry import Telemetry
from services.job_status.permissions import REQUIRED_ROLES, SERVICE
from services.job_status.servicer import JobStatusServicer
from services.job_status.settings import JobStatusSettings
from services.job_status.source import JobStatusSource
from services.job_status.sources.database import QueueDatabase
from services.job_status.sources.redis import QueueRedis
from services.job_status.status import ERRORS


@asynccontextmanager
async def job_status_server(
    settings: JobStatusSettings, source: JobStatusSource
) -> AsyncIterator[Deployable]:
    """Serve while the context is open; leaving it drains.

    Args:
        settings: the settings of the server.
        source: the queue; it is closed at the end.

    Yields:
        The running server.

    """
    try:
        service = Service(
            name=SERVICE,
            required_roles=REQUIRED_ROLES,
            errors=ERRORS,
            add_to_server=partial(
                job_status_pb2_grpc.add_JobStatusServiceServicer_to_server, JobStatusServicer(source)
            ),
            check=source.check,
        )
        telemetry = Telemetry(settings, SERVICE, REQUIRED_ROLES)
        limits = Limits(settings.caller_calls_per_second_max)
        server = Deployable(settings, service, telemetry, limits)
        async with server.running():
            yield server
    finally:
        await source.close()


def open_source(settings: JobStatusSettings) -> JobStatusSource:
    """Return the source that the settings name; nothing is connected yet.

    Raises:
        SystemExit: with code 78, if the source does not exist or lacks a setting.

    """
    opening = SOURCES.get(settings.source)
    if opening is None:
        refuse(f"JOB_STATUS_SOURCE: must be one of {', '.join(SOURCES)}")
    return opening(settings)


def _laravel(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.laravel import LaravelSource

    return LaravelSource(_database(settings), settings.laravel_table)


def _job_table(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.job_table import JobTableSource

    return JobTableSource(_database(settings), settings.job_table)


def _celery(settings: JobStatusSettings) -> JobStatusSource:
    from services.job_status.sources.celery import CelerySource
    from services.job_status.sources.celery_redis import RedisResults
    from services.job_status.sources.celery_tables import DatabaseResults, celery_tables, django_tables

    if settings.redis_url is None and settings.database_url is None:
        refuse("JOB_STATUS_REDIS_URL or JOB_STATUS_DATABASE_URL: the source celery needs one of them")
    if settings.redis_url is not None and settings.database_url is not None:
        refuse("JOB_STATUS_REDIS_URL and JOB_STATUS_DATABASE_URL: the source celery takes only one of them")
    if settings.redis_url is not None:
        return CelerySource(RedisResults(_redis(settings), key_prefix=settings.celery_key_prefix))
    tables = celery_tables(extended=settings.celery_result_extended)
    return CelerySource(
        DatabaseResults(_database(settings), django_tables() if settings.celery_django else tables)
    )


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
        strict_tls=settings.kubernetes_strict_tls,
    )


SOURCES: dict[str, Callable[[JobStatusSettings], JobStatusSource]] = {
    "laravel": _laravel,
    "job_table": _job_table,
    "celery": _celery,
    "rq": _rq,
    "kubernetes": _kubernetes,
}
"""The sources by their names in JOB_STATUS_SOURCE."""


def _database(settings: JobStatusSettings) -> QueueDatabase:
    if settings.database_url is None:
        refuse(f"JOB_STATUS_DATABASE_URL: the source {settings.source} needs it")
    return QueueDatabase(settings.database_url.get_secret_value(), file=settings.database_url_file)


def _redis(settings: JobStatusSettings) -> QueueRedis:
    if settings.redis_url is None:
        refuse(f"JOB_STATUS_REDIS_URL: the source {settings.source} needs it")
    return QueueRedis(settings.redis_url.get_secret_value(), file=settings.redis_url_file)
