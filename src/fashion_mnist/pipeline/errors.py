"""The one exception that is shown to the user as a message."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A mistake that the user can mend: parameters, data, a missing device, a full disk.

    Entry points print the message alone, without a traceback, and exit with status 2.
    """


@contextmanager
def extra(name: str, user: str) -> Iterator[None]:
    """Turn a missing package into the line that says how to install it.

    Args:
        name: the extra of pyproject.toml whose packages the block imports.
        user: what needs them, as the subject of the sentence.

    Raises:
        UserError: a package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        install = f"pip install -r requirements/{name}.txt"
        raise UserError(f"{user} needs {error.name}, which is not installed: {install}") from None
