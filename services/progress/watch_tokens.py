"""Watch tokens of this server: what creates them, or says why there are none."""

from collections.abc import Callable

from process.configuration import refuse
from rpc.callers.limits import Limits
from rpc.callers.watch_tokens import WatchToken, WatchTokens
from services.progress.errors import WatchTokensOff
from services.progress.permissions import WATCH_TOKEN_METHODS
from services.progress.settings import ProgressSettings

CreateWatchToken = Callable[[str, float], WatchToken]
"""Creates a token for a batch that is valid for so many seconds; raises WatchTokensOff."""


def watch_tokens_of(settings: ProgressSettings, limits: Limits) -> WatchTokens | None:
    """Return what creates and verifies watch tokens; None without a key.

    Args:
        settings: the settings of the server.
        limits: the limits of each token.

    Raises:
        SystemExit: with code 78, if the file of keys cannot be used.

    """
    if settings.watch_token_key_file is None:
        return None
    try:
        return WatchTokens(settings.watch_token_key_file, WATCH_TOKEN_METHODS, limits)
    except ValueError as error:
        refuse(str(error))


def creation_of(settings: ProgressSettings, watch_tokens: WatchTokens | None) -> CreateWatchToken:
    """Return what creates watch tokens, or refuses to.

    Args:
        settings: the settings of the server.
        watch_tokens: creates them if there is a key.

    """
    if watch_tokens is None:
        return _refusing("this server has no key for watch tokens")
    if not settings.requires_tokens:
        return _refusing("this server requires no tokens")
    return watch_tokens.create


def _refusing(why: str) -> CreateWatchToken:
    def create(_batch_id: str, _seconds: float) -> WatchToken:
        raise WatchTokensOff(why)

    return create
