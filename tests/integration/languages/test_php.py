"""The example for PHP follows the rules of docs/other-languages.md.

Debian has no extension `grpc`: a stub in PHP stands for it and for the generated classes.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.laravel.framework import framework
from tests.support.http2_server import OUR_DOMAIN, grpc_status
from tests.support.progress import ROOT

pytestmark = pytest.mark.more("starts PHP")

NEWEST_LARAVEL = 13
"""PHP comes with it."""
RUN_SECONDS_MAX = 60.0
OK, NOT_FOUND, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 0, 5, 12, 13, 14, 16


def status(code: int, domain: str = "") -> tuple[int, str]:
    """Return a status, with an ErrorInfo if a domain is given."""
    trailers = grpc_status(code, reason="REASON" if domain else "", domain=domain).trailers
    return code, dict(trailers or []).get("grpc-status-details-bin", "")


def run(folder: Path, *statuses: tuple[int, str]) -> tuple[int, str, str]:
    """Run the worker with these ends of its calls; return its exit code, output and errors."""
    (folder / "vendor").mkdir()
    shutil.copy(ROOT / "examples/php/worker.php", folder)
    shutil.copy(Path(__file__).with_name("grpc_stub.php"), folder / "vendor/autoload.php")
    (folder / "statuses.json").write_text(json.dumps(statuses))
    command = (*framework(NEWEST_LARAVEL).php, "worker.php", "statuses.json", "b", "17")
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=RUN_SECONDS_MAX
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_worker_repeats_what_the_server_has_not_refused(tmp_path: Path) -> None:
    """Neither a gateway's NOT_FOUND nor a token that is replaced ends it."""
    road = [status(UNAVAILABLE), status(UNIMPLEMENTED), status(NOT_FOUND), status(INTERNAL, "example.org")]
    ours = [status(code, OUR_DOMAIN) for code in (UNAVAILABLE, UNAUTHENTICATED)]
    assert run(tmp_path, *road, *ours, status(OK), status(OK)) == (0, "calls left: 1\n", "")


@pytest.mark.parametrize("code", [NOT_FOUND, INTERNAL])
def test_worker_stops_when_the_server_refuses(tmp_path: Path, code: int) -> None:
    assert run(tmp_path, status(code, OUR_DOMAIN), status(OK)) == (1, "", f"code {code}\n")
