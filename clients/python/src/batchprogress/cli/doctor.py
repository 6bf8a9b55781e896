"""doctor: checks everything between this command and the batches, a line for each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import grpc
import typer

import batchprogress
from batchprogress.cli.cli_errors import ExitCode, command_error
from batchprogress.cli.formatting import clean
from batchprogress.cli.probing import PROBE_SECONDS_MAX, ProbeFailed, TlsPaths, address_of, probe
from batchprogress.cli.session import Session
from batchprogress.errors import CallFailed, PermissionDenied
from batchprogress.models import Pass, ServerInfo

PASS_AGE_MAX = timedelta(minutes=15)
"""Three passes of the default schedule."""
_SERVING = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with status SERVING."""
_NO_SERVICE = b""
"""grpc.health.v1.HealthCheckRequest about the whole server."""


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    check: str
    verdict: Verdict
    sentence: str


def doctor(
    session: Session,
    *,
    job_status: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Also check the job-status service at this address, without TLS and token.",
        ),
    ] = None,
) -> None:
    """Check the connection, token, database and reconciler.

    Exit codes: 0 nothing failed; 1 a check failed. A warning alone does not fail.
    """
    has_failed = False
    for finding in _findings(session, job_status):
        has_failed |= finding.verdict is Verdict.FAILED
        if session.out.as_json:
            session.out.values(
                {"check": finding.check, "verdict": finding.verdict, "sentence": finding.sentence}
            )
        else:
            session.out.line(f"{finding.verdict:<8} {finding.check:<11} {finding.sentence}")
    if has_failed:
        raise typer.Exit(ExitCode.WITH_FAILURES)


def _findings(session: Session, job_status: str | None) -> Iterator[Finding]:
    connected = _tried("connection", session.server, lambda: _connected(session.server, session.tls))
    yield connected
    if connected.verdict is not Verdict.FAILED:
        yield from _server_findings(session)
    if job_status is not None:
        yield _tried("job-status", job_status, lambda: _serving(job_status))


def _server_findings(session: Session) -> Iterator[Finding]:
    try:
        info = session.client.server_info()
        last = _last_pass(session)
    except CallFailed as error:
        yield Finding("server", Verdict.FAILED, str(command_error(error, session.server)))
        return
    yield version_finding(info.version, batchprogress.__version__)
    yield token_finding(info)
    yield Finding("database", Verdict.OK, info.database)
    yield pass_finding(info.last_pass_time, last, datetime.now(UTC))


def version_finding(server: str, own: str) -> Finding:
    """Compare the versions: before 1.0, those with another minor version may lack calls. Pure."""
    if server.split(".")[:2] == own.split(".")[:2]:
        return Finding("version", Verdict.OK, f"server {server}, this client {own}")
    sentence = f"server {server}, this client {own}: calls that the older one does not know will fail"
    return Finding("version", Verdict.WARNING, sentence)


def token_finding(info: ServerInfo) -> Finding:
    """Say what the caller may do. Pure."""
    own = f", on batches that begin with {info.batch_prefix}" if info.batch_prefix else ""
    if not info.caller:
        return Finding(
            "token", Verdict.WARNING, "the server asks for none: everyone who reaches it may do all"
        )
    return Finding("token", Verdict.OK, f"{info.caller}: {', '.join(info.roles)}{own}")


def pass_finding(ended: datetime | None, last: Pass | None, now: datetime) -> Finding:
    """Judge the reconciler by its last pass. Pure.

    Args:
        ended: when the last pass over all batches ended; None if none has.
        last: the newest pass; None if it is unknown.
        now: the time.

    """
    if ended is None:
        sentence = "no pass has ended: deploy it, or batches whose workers died stay stuck"
        return Finding("reconciler", Verdict.WARNING, sentence)
    minutes = (now - ended) / timedelta(minutes=1)
    sentence = f"the last pass ended {minutes:,.0f} min ago"
    if now - ended > PASS_AGE_MAX:
        return Finding("reconciler", Verdict.FAILED, f"{sentence}: check its CronJob")
    if last is not None and (last.errors or last.cut_short):
        why = clean(last.cut_short) or f"{last.errors:,} batches could not be looked at"
        sentence = f"{sentence}, but {why}: `batchprogress passes` shows more"
        return Finding("reconciler", Verdict.WARNING, sentence)
    return Finding("reconciler", Verdict.OK, sentence)


def _last_pass(session: Session) -> Pass | None:
    """Return the newest pass; None if there is none, or the token is for a prefix of ids."""
    try:
        return next(iter(session.client.passes(page_size=1)), None)
    except PermissionDenied:
        return None


def _connected(target: str, tls: TlsPaths | None) -> str:
    address = address_of(target)
    return "not host:port, and not tried" if address is None else probe(address, tls)


def _serving(target: str) -> str:
    """Ask a server's health service, with bytes: its messages are in a package that clients need not have."""
    _connected(target, None)
    with grpc.insecure_channel(target) as channel:
        check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = check(_NO_SERVICE, timeout=PROBE_SECONDS_MAX)
        except grpc.RpcError as error:
            code = error.code().name
            raise ProbeFailed(
                f"it does not tell its health ({code}): check that it is the service"
            ) from error
    if answer != _SERVING:
        raise ProbeFailed("it runs, but cannot read its queue: its log says why")
    return "reads its queue"


def _tried(check: str, target: str, run: Callable[[], str]) -> Finding:
    try:
        return Finding(check, Verdict.OK, f"{target}: {run()}")
    except ProbeFailed as error:
        return Finding(check, Verdict.FAILED, f"{target}: {error}")
