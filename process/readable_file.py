"""A setting that names a file, which must be there when the program starts."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def require_readable(path: Path) -> Path:
    """Return the path of a file that this program may read.

    Raises:
        ValueError: it cannot be read.

    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return path


ReadableFile = Annotated[Path, AfterValidator(require_readable)]
