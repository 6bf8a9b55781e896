"""Objects that the hooks of a process call, for as long as somebody else keeps them."""

import weakref
from typing import Generic, TypeVar

One = TypeVar("One")


class LiveObjects(Generic[One]):
    """Lists objects without keeping them.

    Any thread may add one while another thread lists them. A WeakSet would raise then, and a hook that fails
    would lose reports, or leave a lock held after a fork.
    """

    def __init__(self) -> None:
        self._by_id: weakref.WeakValueDictionary[int, One] = weakref.WeakValueDictionary()

    def add(self, one: One) -> None:
        """Add an object, once."""
        self._by_id[id(one)] = one

    def all(self) -> list[One]:
        """Return the objects that exist."""
        return [one for reference in self._by_id.valuerefs() if (one := reference()) is not None]

    def clear(self) -> None:
        """Forget all objects."""
        self._by_id.clear()
