"""Envoy's transcoder with the descriptors of deploy/ answers the JSON that the gateway answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.proxies.kinds import DEPLOY, Envoy, Kind, Place
from tests.proxies.running import running
from tests.support.gateway import PROGRESS, Answer, Door, gateway
from tests.support.progress import Served, served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
SECONDS_MAX = 60.0


class Transcoder:
    """Envoy with the other file."""

    name = "envoy"
    file = DEPLOY / "envoy/transcoder.yaml"
    reloads_by = Envoy.reloads_by

    def __init__(self) -> None:
        self._envoy = Envoy()

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Use free ports, and the descriptors of the checkout."""
        first, second = place.servers
        return {
            "port_value: 8090": f"port_value: {place.port}",
            "port_value: 9902": f"port_value: {place.admin_port}",
            "/etc/envoy/": f"{DEPLOY}/envoy/",
            "address: progress-1, port_value: 50051": f"address: 127.0.0.1, port_value: {first}",
            "address: progress-2, port_value: 50051": f"address: 127.0.0.1, port_value: {second}",
        }

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """Start it as with the other file."""
        return self._envoy.arguments(file, place, generation, before)


class Ways(NamedTuple):
    """The same server, by two ways."""

    server: Served
    envoy: Door
    gateway: Door


@asynccontextmanager
async def ways(database_url: str, folder: Path) -> AsyncIterator[Ways]:
    """Serve a batch that has ended, whose rate no longer changes, and another one."""
    kind: Kind = Transcoder()
    async with asyncio.timeout(SECONDS_MAX), served(database_url) as server:
        await server.create("ended", 2)
        await server.report("ended", "1")
        await server.report("ended", "2", pb.JOB_OUTCOME_FAILED, error_type="E", error_message="no")
        await server.create("open", 1)
        place = Place(folder, (server.port, server.port))
        async with running(kind, place), gateway(f"127.0.0.1:{server.port}") as door:
            yield Ways(server, Door(place.port), door)


async def test_both_answer_the_same_json(database_url: str, tmp_path: Path) -> None:
    paths = (
        "/v1/batch?batch_id=ended",
        "/v1/batch?batchId=ended&batch_id=ended",
        "/v1/batch/history?batch_id=ended",
        "/v1/batches",
        "/v1/batches?state=BATCH_STATE_PROCESSING&page_size=1",
        "/v1/batches?page_size=1",
    )
    async with ways(database_url, tmp_path) as (_, envoy, door):
        for path in paths:
            theirs, ours = await envoy.send("GET", path), await door.send("GET", path)
            assert (theirs.status, theirs.json) == (200, ours.json), path
        for method in ("GetBatch", "ListJobResults", "ListFailureGroups", "ListRepairs", "ListPendingJobs"):
            assert (await envoy.call(method, batchId="ended")).json == (
                await door.call(method, batchId="ended")
            ).json, method


async def test_a_report_is_recorded_through_the_transcoder(database_url: str, tmp_path: Path) -> None:
    async with ways(database_url, tmp_path) as (server, envoy, _):
        fields = {"batchId": "open", "jobId": "1", "outcome": "JOB_OUTCOME_SUCCEEDED"}
        answers = [await envoy.call("ReportJobResult", **fields) for _ in range(2)]
        assert [one.json["disposition"] for one in answers] == [
            "DISPOSITION_RECORDED",
            "DISPOSITION_DUPLICATE",
        ]
        assert (await server.get("open")).state == pb.BATCH_STATE_COMPLETED
        watched = await envoy.call("WatchBatch", batchId="open")
        assert json.loads(watched.body.splitlines()[-1])["batch"]["state"] == "BATCH_STATE_COMPLETED"


async def test_an_error_has_its_details(database_url: str, tmp_path: Path) -> None:
    """The body is google.rpc.Status."""
    async with ways(database_url, tmp_path) as (_, envoy, _):
        answers = (
            await envoy.send("GET", "/v1/batch?batch_id=missing"),
            await envoy.call("GetBatch", batchId="missing"),
        )
        for answer in answers:
            assert (answer.status, _reason(answer)) == (404, "BATCH_NOT_FOUND")
        assert (await envoy.call("GetBatch", batchId="not an id")).status == 400
        assert (await envoy.send("GET", "/nowhere")).status == 404
        # Its queries have no maps. If it ignored this one, it would list all batches.
        assert (await envoy.send("GET", "/v1/batches?labels%5Bteam%5D=a")).status >= 400
        assert (await envoy.post(f"/{PROGRESS}/GetBatch", b"{")).status == 400


def _reason(answer: Answer) -> str:
    info = next(one for one in answer.json["details"] if one["@type"].endswith("google.rpc.ErrorInfo"))
    return str(info["reason"])
