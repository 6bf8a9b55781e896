"""Runs the probes of a pod as a kubelet does."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.unit.k8s.layout import Manifest

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


async def pass_probes(pod: Manifest, port: int, address: str = "127.0.0.1") -> None:
    """Run each probe on a local port until it succeeds."""
    for name in PROBES:
        await _pass_probe(pod, name, f"{address}:{port}")


async def _pass_probe(pod: Manifest, name: str, target: str) -> None:
    """Wait as long as the kubelet does, which gives up after failureThreshold attempts."""
    (container,) = pod["spec"]["containers"]
    probe = container[name]
    seconds_max = probe["periodSeconds"] * probe["failureThreshold"]
    async with asyncio.timeout(seconds_max), grpc.aio.insecure_channel(target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=probe["grpc"]["service"])
        watch = stub.Watch(request, wait_for_ready=True)
        async for answer in watch:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
        watch.cancel()
