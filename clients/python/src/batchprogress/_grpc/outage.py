"""When a server that does not answer is worth a warning. Pure: the clock is passed in."""

LASTING_SECONDS = 30.0
"""A rollout ends calls of a healthy service: to replace its only server takes 10 to 20 s, and a failover of
its database up to 30 s. Until then reports and watches wait, and there is nothing for a person to do."""


class Outage:
    """Whether a server answers, and since when it does not."""

    def __init__(self) -> None:
        self._began: float | None = None
        self.is_warned = False
        """Whether there was a warning of this outage."""

    @property
    def has_begun(self) -> bool:
        """Whether the last call failed."""
        return self._began is not None

    def failed(self, now: float, *, needs_person: bool = False) -> bool:
        """Note a failed call.

        Args:
            now: the clock, in seconds.
            needs_person: whether calls fail until a person changes something, such as the token.

        Returns:
            Whether to warn now: once for each outage, when it lasts or needs a person.

        """
        if self._began is None:
            self._began = now
        if self.is_warned:
            return False
        self.is_warned = needs_person or now - self._began >= LASTING_SECONDS
        return self.is_warned

    def answered(self) -> bool:
        """Note an answer; return whether an outage has ended of which there was a warning."""
        was_warned = self.is_warned
        self._began, self.is_warned = None, False
        return was_warned
