"""The OpenAPI document: it is current and valid, and the gateway answers only what it says."""

import asyncio
import json
import os
import random
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from batchprogress.v1 import progress_pb2 as pb
from docs.openapi.__main__ import are_current
from docs.openapi.document import document
from services.gateway.app import OPENAPI_FILE
from services.gateway.contract.methods import methods_of
from tests.support.gateway import Door
from tests.support.progress import Served

FULL = os.environ.get("FAULTS", "quick") == "full"
"""`make test-faults` sets FAULTS=full."""
EXAMPLES = 200 if FULL else 3
"""Requests that are made up for each operation, besides those at the limits of its schema."""
SECONDS_MAX = 900 if FULL else 240
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
"""Not that other requests are refused: numbers may be JSON numbers, for example."""
TIMEOUT = "connect-timeout-ms: 30000"
"""Otherwise some requests would ask for an answer within 0 ms, and get a 504."""


def test_the_generated_files_are_current() -> None:
    """The OpenAPI document, and the descriptors for Envoy."""
    assert are_current(), "run `make openapi`"


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(json.loads(OPENAPI_FILE.read_bytes())).validate()


def test_each_unary_method_and_each_plain_path_is_described() -> None:
    paths = document()["paths"]
    assert paths.keys() >= {
        "/v1/batch",
        "/v1/batches",
        "/v1/batch/events",
        "/v1/batches/events",
        "/v1/batch/badge.svg",
    }
    for method in methods_of():
        assert (method.path in paths) is not method.is_stream
        if not method.is_stream:
            assert ("get" in paths[method.path]) is method.is_read


def test_messages_are_described_as_they_are_sent() -> None:
    """Names in camelCase, 64-bit numbers as strings, and every field without presence in a response."""
    schemas = document()["components"]["schemas"]
    batch = schemas["Batch"]
    assert batch["properties"]["totalJobs"]["type"] == "string"
    assert batch["properties"]["percentComplete"]["type"] == "integer"
    assert batch["properties"]["createTime"]["format"] == "date-time"
    assert "failedJobs" in batch["required"]
    assert "completeTime" not in batch["required"]
    assert "required" not in schemas["CreateBatchRequest"]
    assert "JOB_OUTCOME_FAILED" in schemas["JobOutcome"]["enum"]


def test_the_errors_of_a_method_are_described() -> None:
    add = document()["paths"]["/batchprogress.v1.ProgressService/AddJobs"]["post"]["responses"]
    assert "BATCH_NOT_FOUND" in add["404"]["description"]
    assert "BATCH_SEALED" in add["400"]["description"]
    assert "INVALID_FIELD" in add["400"]["description"]
    assert "REQUEST_CONFLICT" in add["409"]["description"]


async def test_the_gateway_serves_the_document(closed_door: Door) -> None:
    answer = await closed_door.send("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == OPENAPI_FILE.read_bytes()


@pytest.mark.more("makes a thousand calls")
async def test_answers_are_as_the_document_says(door: Door, progress: Served, tmp_path: Path) -> None:
    await fill(progress)
    seed = random.SystemRandom().randrange(2**32)
    print(f"schemathesis --seed {seed}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{door.port}/openapi.json"),
        *("--seed", str(seed), "--max-examples", str(EXAMPLES), "--checks", ",".join(CHECKS)),
        *("--phases", "examples,coverage,fuzzing", "--header", TIMEOUT, "--no-color"),
        *("--exclude-path-regex", "^/v1/batch(es)?/events$"),  # do not end while a batch has not
        *(() if FULL else ("--no-shrink",)),
        cwd=tmp_path,  # it writes a folder there
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    print(out.decode())
    assert process.returncode == 0


async def fill(progress: Served) -> None:
    """Create the batch that the examples of the document name, with all kinds of results."""
    await progress.create("import-1", 1_037, sealed=False)
    await progress.report("import-1", "17")
    for job_id in ("18", "19"):
        await progress.report(
            "import-1",
            job_id,
            pb.JOB_OUTCOME_FAILED,
            error_type="TimeoutError",
            error_message=f"job {job_id}",
        )
    await progress.report("import-1", "20", pb.JOB_OUTCOME_SKIPPED)
