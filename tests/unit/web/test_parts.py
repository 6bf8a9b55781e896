"""The web component: its one file, and its rule of rounding."""

import gzip
import json
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batches.batch import Batch, BatchState, Tally
from batchprogress.v1 import progress_pb2 as pb
from tests.support import not_run
from tests.support.progress import ROOT

FOLDER = ROOT / "clients" / "web"
FILE = FOLDER / "batch-progress.js"
GZIP_BYTES_MAX = 10_000
"""A page loads it in one round trip: 14 KB fit into the first window of TCP."""
INTERFACE = re.compile(r"^export interface (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+)\??: ", re.MULTILINE)
RUN_SECONDS_MAX = 60
NOW = datetime(2026, 11, 30, tzinfo=UTC)
TOTALS = """
import { totalsOf } from "./totals.js";
const cases = JSON.parse(process.argv[1]);
console.log(JSON.stringify(cases.map(({ batches, expected }) => totalsOf(batches, expected))));
"""
AWAY = """
import { getEventListeners } from "node:events";
import { Watch } from "./watch.js";

const controllers = [];
globalThis.AbortController = class extends AbortController {
  constructor() {
    super();
    controllers.push(this);
  }
};
const setLater = globalThis.setTimeout;
globalThis.setTimeout = (call) => setLater(call, 0); // no pause takes its time
let tries = 0;
globalThis.fetch = async () => {
  if (++tries === 20) {
    console.log(getEventListeners(controllers[0].signal, "abort").length);
    process.exit();
  }
  throw new TypeError("connection refused");
};
new Watch("b", { changed() {}, troubled() {} }).open("http://gateway", "");
"""
"""Prints how many listeners a watch has after twenty tries."""

Fields = dict[str, Any]


def totals_of(*cases: tuple[Sequence[Fields], int]) -> list[Fields]:
    """Return the totals of batches, of which there are a number in all, as the element adds them up."""
    given = json.dumps([{"batches": batches, "expected": expected} for batches, expected in cases])
    found: list[Fields] = json.loads(printed_by(TOTALS, given))
    return found


def printed_by(script: str, *arguments: str) -> str:
    """Return what a script prints that imports parts of the element."""
    node = shutil.which("node") or not_run.without("node is not installed")
    command = (node, "--input-type=module", "--eval", script, *arguments)
    run = subprocess.run(
        command, cwd=FOLDER / "src", capture_output=True, check=True, timeout=RUN_SECONDS_MAX, text=True
    )
    return run.stdout


def fields(batch: Batch, stall_reason: str = "") -> Fields:
    """Return the fields that are added up, as ProtoJSON."""
    return {
        "state": f"BATCH_STATE_{batch.state.name}",
        "sealed": batch.sealed,
        "stallReason": stall_reason,
        "totalJobs": str(batch.total_jobs),
        "pendingJobs": str(batch.pending_jobs),
        "succeededJobs": str(batch.tally.succeeded),
        "failedJobs": str(batch.tally.failed),
        "skippedJobs": str(batch.tally.skipped),
    }


def batch(
    jobs: int, tally: Tally, *, sealed: bool = True, state: BatchState = BatchState.PROCESSING
) -> Batch:
    """Return a batch with these jobs."""
    return Batch(
        batch_key=1,
        batch_id="b",
        sealed=sealed,
        state=state,
        announced_jobs=jobs,
        tally=tally,
        create_time=NOW,
        read_time=NOW,
    )


def test_a_watch_keeps_nothing_of_its_tries() -> None:
    """A page may be open for days while the gateway is away."""
    assert printed_by(AWAY) == "0\n"


def test_the_percentage_is_the_servers() -> None:
    random.seed(seed := random.randrange(2**32))
    print("seed", seed)
    batches = [batch(total, Tally(total - left)) for total in (1, 3, 1_037, 10**9) for left in (0, 1)]
    for _ in range(500):
        total = random.randrange(10 ** random.randrange(1, 10))
        ended = sorted(random.randint(0, total) for _ in range(3))
        batches.append(batch(total, Tally(ended[0], ended[1] - ended[0], ended[2] - ended[1])))
    found = totals_of(*(([fields(one)], 1) for one in batches))
    assert [one["percent"] for one in found] == [one.percent_complete for one in batches]
    assert [one["done"] for one in found] == [one.tally.ended for one in batches]


def test_the_percentage_of_several_batches_is_rounded_down() -> None:
    ended = fields(batch(1_000_000, Tally(1_000_000), state=BatchState.COMPLETED))
    found = totals_of(([ended, fields(batch(1, Tally()))], 2), ([ended, fields(batch(0, Tally()))], 2))
    assert [one["percent"] for one in found] == [99, 100]


def test_there_is_no_percentage_before_the_number_of_jobs_is_known() -> None:
    """Not while jobs may be added, nor while one of several batches is unknown, nor for no batch."""
    growing, done = fields(batch(10, Tally(10), sealed=False)), fields(batch(10, Tally(10)))
    found = totals_of(([growing], 1), ([done, growing], 2), ([done], 2), ([], 1), ([], 0))
    assert [one["percent"] for one in found] == [None] * 5


def test_the_state_of_several_batches_is_the_one_of_the_least_advanced() -> None:
    completed = fields(batch(1, Tally(1), state=BatchState.COMPLETED))
    failed = fields(batch(1, Tally(0, 1), state=BatchState.COMPLETED))
    cancelled = fields(batch(1, Tally(), state=BatchState.CANCELLED))
    running = fields(batch(1, Tally()))
    stalled = fields(batch(1, Tally()), stall_reason="no result for 14 minutes")
    cases = {
        "completed": [completed],
        "failures": [completed, failed],
        "cancelled": [completed, cancelled],
        "stalled": [completed, stalled],
        "running": [stalled, running],
    }
    found = totals_of(*((batches, len(batches)) for batches in cases.values()))
    assert [one["state"] for one in found] == list(cases)


def test_the_one_file_is_made_from_the_parts(tmp_path: Path) -> None:
    make, made = shutil.which("make") or not_run.without("make is not installed"), tmp_path / "made.js"
    command = (make, "--silent", "web", f"WEB_FILE={made}")
    subprocess.run(command, cwd=ROOT, check=True, timeout=RUN_SECONDS_MAX)
    assert FILE.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "run make web"


def test_the_one_file_is_small() -> None:
    assert len(gzip.compress(FILE.read_bytes(), mtime=0)) < GZIP_BYTES_MAX


def test_the_types_have_every_field_of_a_batch_and_every_word() -> None:
    """A field that is added to the contract is added here, too."""
    types = (FOLDER / "batch-progress.d.ts").read_text(encoding="utf-8")
    names = {
        kind: set(re.findall(r"^  (\w+)\??: ", body, re.MULTILINE)) for kind, body in INTERFACE.findall(types)
    }
    assert names["Batch"] == {field.json_name for field in pb.Batch.DESCRIPTOR.fields}
    words = (FOLDER / "src" / "words.js").read_text(encoding="utf-8").partition("\n};")[0]
    assert names["Words"] == set(FIELD.findall(words))


def test_a_server_that_renders_pages_can_import_the_file() -> None:
    """It has no DOM, so that nothing is defined."""
    node = shutil.which("node") or not_run.without("node is not installed")
    script = f"import({json.dumps(FILE.as_uri())}).then((all) => console.log(Object.keys(all).sort().join()))"
    run = subprocess.run(
        (node, "--eval", script), capture_output=True, check=True, timeout=RUN_SECONDS_MAX, text=True
    )
    assert run.stdout == "BatchProgressElement,WORDS\n"
