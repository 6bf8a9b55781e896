"""Runs the servers of a namespace as local processes, each on an address of its own, as a node does."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.k8s.cluster import Namespace
from tests.k8s.pod_process import start_container
from tests.k8s.probes import pass_probes
from tests.k8s.stand_in import SCHEDULER, report, running
from tests.support.first_version import Version
from tests.unit.k8s.layout import Manifest

ADMIN_PORT = 50061
POLL_SECONDS = 0.5
RUN_AS_PROCESSES = ("progress", "migrate")
"""The programs that run; the pods of others are only reported as ready."""


class LocalNode:
    """Starts a process for each new pod, reports it, and stops it when the pod is deleted.

    Args:
        namespace: the namespace.
        folder: a folder for the files that pods mount.
        versions: a checkout for each image.

    """

    def __init__(self, namespace: Namespace, folder: Path, versions: dict[str, Version]) -> None:
        self.ready: dict[str, str] = {}
        """The address of each ready server of progress, by the name of its pod."""
        self.exit_codes: list[int | None] = []
        self._namespace = namespace
        self._folder = folder
        self._versions = versions
        # A network of its own on loopback, so that each pod can have the port of its container.
        self._addresses = (f"127.77.{number // 200}.{number % 200 + 1}" for number in itertools.count())
        self._seen: set[str] = set()
        self._deleted: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["LocalNode"]:
        """Run pods while the context is open; ends it as soon as a pod's task fails."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(tasks))
            try:
                yield self
            finally:
                watching.cancel()
                for deleted in self._deleted.values():
                    deleted.set()

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            found = await asyncio.to_thread(self._namespace.all_of, "pods")
            pods = {one["metadata"]["name"]: one for one in found}
            for name in pods.keys() - self._seen:
                self._seen.add(name)
                if pods[name]["spec"].get("schedulerName") == SCHEDULER:
                    self._deleted[name] = asyncio.Event()
                    tasks.create_task(self._run(pods[name]))
            for name in self._deleted.keys() - pods.keys():
                self._deleted[name].set()
            await asyncio.sleep(POLL_SECONDS)

    async def _run(self, pod: Manifest) -> None:
        program = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        if program not in RUN_AS_PROCESSES:
            await asyncio.to_thread(report, self._namespace, pod, running(pod))
            return
        name, address = pod["metadata"]["name"], next(self._addresses)
        (container,) = pod["spec"]["containers"]
        version = self._versions[container["image"]]
        process = await start_container(self._namespace, pod, self._folder / name, address, version)
        output = asyncio.create_task(process.communicate())
        try:
            if program == "migrate":
                await asyncio.to_thread(self._namespace.end_pod, pod, await process.wait())
            else:
                await self._serve(pod, address, process)
        except (ProcessLookupError, TimeoutError) as error:
            ended_with = process.returncode
            if ended_with is None:
                process.kill()
            log = b"\n".join(await output).decode()
            error.add_note(f"{name}, of {container['image']}, ended with {ended_with}: {log}")
            raise
        finally:
            if process.returncode is None:
                process.kill()
            await output

    async def _serve(self, pod: Manifest, address: str, process: asyncio.subprocess.Process) -> None:
        """Report a server once it is ready; stop it as a kubelet does once its pod is deleted."""
        name = pod["metadata"]["name"]
        await pass_probes(pod, ADMIN_PORT, address)
        if await asyncio.to_thread(report, self._namespace, pod, running(pod)):
            self.ready[name] = address
        await self._deleted[name].wait()
        self.ready.pop(name, None)
        (container,) = pod["spec"]["containers"]
        await asyncio.sleep(container["lifecycle"]["preStop"]["sleep"]["seconds"])
        process.terminate()
        async with asyncio.timeout(pod["spec"]["terminationGracePeriodSeconds"]):
            self.exit_codes.append(await process.wait())
