"""All selections that are watched, found by the labels of a batch."""

from collections.abc import Callable, Iterable

from batches.batch import Batch
from batches.listing import BatchFilter
from services.progress.selection import Selection
from services.progress.watch import Topic


class Selections:
    """All watched selections, found by the labels of their batches."""

    def __init__(self) -> None:
        self._by_filter: dict[_Key, Selection] = {}
        self._by_label: dict[tuple[str, str] | None, set[Selection]] = {}

    def __len__(self) -> int:
        """Return the number of selections."""
        return len(self._by_filter)

    def all(self) -> Iterable[Selection]:
        """Return every selection."""
        return tuple(self._by_filter.values())

    def matching(self, batch: Batch) -> list[Selection]:
        """Return the selections that a batch matches."""
        labels: list[tuple[str, str] | None] = [None, *batch.labels.items()]
        candidates = (one for label in labels for one in self._by_label.get(label, ()))
        return [one for one in candidates if one.selects(batch)]

    def of(self, selected: BatchFilter, release: Callable[[Topic], None]) -> Selection:
        """Return the selection of a filter; one whose watches end is replaced by a new one."""
        selection = self._by_filter.get(_key(selected))
        if selection is None or selection.failure is not None:
            if selection is not None:
                self._forget(selected, selection)
            selection = self._by_filter[_key(selected)] = Selection(selected, release)
            self._by_label.setdefault(_first_label(selected), set()).add(selection)
        return selection

    def close(self, selected: BatchFilter, selection: Selection) -> None:
        """Close a selection that nobody watches any longer."""
        self._forget(selected, selection)
        selection.close()

    def _forget(self, selected: BatchFilter, selection: Selection) -> None:
        if self._by_filter.get(_key(selected)) is selection:
            del self._by_filter[_key(selected)]
        label = _first_label(selected)
        others = self._by_label.get(label, set())
        others.discard(selection)
        if not others:
            self._by_label.pop(label, None)


_Key = tuple[str, tuple[tuple[str, str], ...]]


def _key(selected: BatchFilter) -> _Key:
    return selected.id_prefix, tuple(sorted(selected.labels.items()))


def _first_label(selected: BatchFilter) -> tuple[str, str] | None:
    return min(selected.labels.items(), default=None)
