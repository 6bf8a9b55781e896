"""One page of metrics for several processes, added up by prometheus_client's multiprocess mode.

In that mode, the library's own metrics write each change into a file. Ours are read at each scrape instead,
which costs a call nothing; so each process writes what it reads into the files of that mode, and the library
adds them up.
"""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Metric, mmap_dict, multiprocess
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

WRITE_SECONDS = 2.0
"""How old the figures of another process may be: far less than the 15 s between two scrapes. A process that
is killed loses the counts since its last write."""

SUMMED_GAUGES = frozenset(
    {
        "batchprogress_processes",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
"""Gauges that belong to one process, so that all processes together have their sum."""
LOWEST_GAUGES = frozenset(
    {"batchprogress_ready", "batchprogress_certificate_expiry_timestamp_seconds", "process_max_fds"}
)
"""Gauges of which the lowest value tells of all: whether all are ready, which certificate expires next."""

_library: Any = multiprocess  # it has no types
_files: Any = mmap_dict

_Labels = tuple[tuple[str, str], ...]


class SharedMetrics(Collector):
    """The metrics of all processes.

    Args:
        registry: the metrics of this process.
        folder: where all of them have their files.
        number: that of this process. If another process had it, its counts are continued.
        summed_gauges: gauges that are summed, besides those of every server. Of any other gauge, the highest
            value counts: it tells of all, or which process is worst.

    """

    def __init__(
        self, registry: CollectorRegistry, folder: Path, number: int, summed_gauges: Iterable[str]
    ) -> None:
        self._registry = registry
        self._folder = folder
        self._number = number
        self._summed = SUMMED_GAUGES | frozenset(summed_gauges)
        self._files: dict[str, Any] = {}
        self._keys: dict[tuple[str, _Labels], str] = {}
        self._lock = Lock()
        self._before = {kind: dict(self._read(kind)) for kind in ("counter", "histogram")}

    @property
    def page(self) -> CollectorRegistry:
        """A registry with the metrics of all processes."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes; those of this one are as new as the call."""
        self.write()
        yield from _library.MultiProcessCollector(None, str(self._folder)).collect()

    async def run(self) -> None:
        """Write the metrics of this process for ever, and once more when cancelled."""
        try:
            while True:
                await asyncio.to_thread(self.write)
                await asyncio.sleep(WRITE_SECONDS)
        finally:
            self.write()

    def write(self) -> None:
        """Write the metrics of this process."""
        with self._lock:
            for metric in self._registry.collect():
                if metric.type == "counter":
                    self._write("counter", metric, _without_times(metric))
                elif metric.type == "histogram":
                    self._write("histogram", metric, _as_kept(metric))
                else:
                    self._write(f"gauge_{self._mode_of(metric.name)}", metric, metric.samples)

    def _mode_of(self, gauge: str) -> str:
        """Return the mode of a gauge; each begins with live, since a process that has ended has none."""
        if gauge in self._summed:
            return "livesum"
        return "livemin" if gauge in LOWEST_GAUGES else "livemax"

    def _write(self, kind: str, metric: Metric, samples: Iterable[Sample]) -> None:
        file, before = self._file(kind), self._before.get(kind, {})
        for sample in samples:
            key = self._key(metric, sample)
            file.write_value(key, sample.value + before.get(key, 0.0), 0.0)

    def _key(self, metric: Metric, sample: Sample) -> str:
        labels = tuple(sample.labels.items())
        key = self._keys.get((sample.name, labels))
        if key is None:
            names, values = list(sample.labels), list(sample.labels.values())
            key = str(_files.mmap_key(metric.name, sample.name, names, values, metric.documentation))
            self._keys[sample.name, labels] = key
        return key

    def _read(self, kind: str) -> Iterator[tuple[str, float]]:
        for key, value, *_ in self._file(kind).read_all_values():
            yield key, value

    def _file(self, kind: str) -> Any:
        if kind not in self._files:
            self._files[kind] = _files.MmapedDict(str(self._folder / f"{kind}_{self._number}.db"))
        return self._files[kind]


def forget_process(folder: Path, number: int) -> None:
    """Drop the gauges of a process that has ended. Its counts stay, so that no sum goes back."""
    _library.mark_process_dead(number, str(folder))


def _without_times(metric: Metric) -> Iterator[Sample]:
    return (sample for sample in metric.samples if not sample.name.endswith("_created"))


def _as_kept(histogram: Metric) -> Iterator[Sample]:
    """Yield each bucket without those below it, and the sum: the library adds up the rest."""
    below: dict[_Labels, float] = {}
    for sample in histogram.samples:
        if sample.name.endswith("_sum"):
            yield sample
        elif sample.name.endswith("_bucket"):
            series = tuple(one for one in sample.labels.items() if one[0] != "le")
            yield sample._replace(value=sample.value - below.get(series, 0.0))
            below[series] = sample.value
