"""Runs the probes of a pod as a kubelet does."""

import asyncio
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.k8s.cluster import eventually
from tests.unit.k8s.layout import Manifest

LOOPBACK = "127.0.0.1"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
READY_SECONDS_MAX = 120
"""Bounds a server that never gets ready; on a busy machine the migration that it waits for takes a minute."""


async def pass_probes(pod: Manifest, port: int, address: str = LOOPBACK) -> None:
    """Run each probe on a local port until it succeeds."""
    for name in PROBES:
        await _pass_probe(pod, name, f"{address}:{port}")


async def _pass_probe(pod: Manifest, name: str, target: str) -> None:
    """Wait as long as the kubelet does: for readiness as long as the pod exists."""
    (container,) = pod["spec"]["containers"]
    probe = container[name]
    seconds_max = (
        READY_SECONDS_MAX if name == "readinessProbe" else probe["periodSeconds"] * probe["failureThreshold"]
    )
    async with asyncio.timeout(seconds_max), grpc.aio.insecure_channel(target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=probe["grpc"]["service"])
        watch = stub.Watch(request, wait_for_ready=True)
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        watch.cancel()


async def pass_http_probes(pod: Manifest, ports: dict[str, int]) -> None:
    """Run each probe until it succeeds.

    Args:
        pod: the pod.
        ports: the port of this machine for each port of the container, by its name.

    """
    (container,) = pod["spec"]["containers"]
    for name in PROBES:
        probe = container[name]
        seconds_max = probe["periodSeconds"] * probe["failureThreshold"]
        await asyncio.to_thread(eventually, partial(_is_healthy, probe, ports), seconds_max)


def _is_healthy(probe: Manifest, ports: dict[str, int]) -> bool:
    """Request a page as a kubelet does: any status from 200 to 399 is a success."""
    asked = probe["httpGet"]
    connection = HTTPConnection(LOOPBACK, ports[asked["port"]], timeout=probe["timeoutSeconds"])
    try:
        connection.request("GET", asked["path"])
        return 200 <= connection.getresponse().status < 400  # the kubelet's rule
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
