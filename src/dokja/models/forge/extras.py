"""Optional packages: imported when they are needed, and named when they are not there."""

import importlib
from types import ModuleType

from dokja.errors import ExtraMissingError

__all__ = ["need"]


def need(module: str, *, extra: str) -> ModuleType:
    """Return a module of an optional package.

    Args:
        module: Its import name, such as `tokenizers`.
        extra: The extra of this distribution that brings it.

    Raises:
        ExtraMissingError: It is not installed.

    Example:
        >>> need("json", extra="forge").__name__
        'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExtraMissingError(
            f"{module} is not installed here ({error}). It comes with the extra {extra!r}: "
            f"pip install 'dokja[{extra}]'. Nothing was changed."
        ) from error
