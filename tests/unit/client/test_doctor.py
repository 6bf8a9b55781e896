"""What doctor concludes."""

from datetime import UTC, datetime, timedelta

import pytest

from batchprogress.cli.doctor import PASS_AGE_MAX, Verdict, pass_finding, token_finding, version_finding
from batchprogress.cli.probing import address_of
from batchprogress.models import Pass, ServerInfo
from batchprogress.v1 import operations_pb2 as operations

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def last_pass(errors: int = 0, cut_short: str = "") -> Pass:
    """Return a pass."""
    return Pass(
        start_time=NOW,
        end_time=NOW,
        manual=False,
        batches_looked_at=1,
        batches_repaired=0,
        batches_left={},
        errors=errors,
        cut_short=cut_short,
        message=operations.Pass(),
    )


def server_info(caller: str, roles: tuple[str, ...], batch_prefix: str) -> ServerInfo:
    """Return what a server tells a caller."""
    return ServerInfo(
        version="0.2.0",
        database="MySQL 9.7.4",
        caller=caller,
        roles=roles,
        batch_prefix=batch_prefix,
        last_pass_time=None,
        message=operations.GetServerInfoResponse(),
    )


@pytest.mark.parametrize(
    ("ended", "last", "verdict", "words"),
    [
        (NOW, last_pass(), Verdict.OK, "ended 0 min ago"),
        (NOW, None, Verdict.OK, "ended 0 min ago"),
        (NOW - PASS_AGE_MAX, last_pass(), Verdict.OK, "ended 15 min ago"),
        (NOW - PASS_AGE_MAX - timedelta(seconds=1), last_pass(), Verdict.FAILED, "check its CronJob"),
        (NOW, last_pass(errors=3), Verdict.WARNING, "3 batches could not be looked at"),
        (NOW, last_pass(cut_short="job-status away"), Verdict.WARNING, "but job-status away:"),
        (None, None, Verdict.WARNING, "no pass has ended"),
    ],
)
def test_the_reconciler_is_judged_by_its_last_pass(
    ended: datetime | None, last: Pass | None, verdict: Verdict, words: str
) -> None:
    finding = pass_finding(ended, last, NOW)
    assert finding.verdict is verdict
    assert words in finding.sentence


@pytest.mark.parametrize(
    ("server", "own", "verdict"),
    [
        ("0.2.0", "0.2.3", Verdict.OK),
        ("0.2.0", "0.3.0", Verdict.WARNING),
        ("1.2.0", "0.2.0", Verdict.WARNING),
    ],
)
def test_another_minor_version_is_a_warning(server: str, own: str, verdict: Verdict) -> None:
    assert version_finding(server, own).verdict is verdict


def test_the_token_is_told_with_its_roles_and_its_batches() -> None:
    """A server without tokens is a warning."""
    finding = token_finding(server_info("ci", ("worker", "reader"), "team/"))
    own = "ci: worker, reader, on batches that begin with team/"
    assert (finding.verdict, finding.sentence) == (Verdict.OK, own)
    assert token_finding(server_info("", ("worker",), "")).verdict is Verdict.WARNING


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("progress:50051", ("progress", 50051)),
        ("dns:///progress:50051", ("progress", 50051)),
        ("dns://10.0.0.2/progress:50051", ("progress", 50051)),
        ("dns:progress:50051", ("progress", 50051)),
        ("[::1]:50051", ("::1", 50051)),
        ("progress.example.org", ("progress.example.org", 443)),
        ("unix:/run/progress.sock", None),
        ("xds:///progress", None),
    ],
)
def test_the_address_of_a_grpc_name_is_found(target: str, address: tuple[str, int] | None) -> None:
    assert address_of(target) == address
