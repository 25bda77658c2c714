"""The options of every command that may read weights from an address."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dokja.models.weights import Access

__all__ = ["access_from", "access_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--budget-bytes",
        type=click.IntRange(min=0),
        help="Fetch at most so many bytes; a request that could go beyond is not sent.",
    ),
    click.option("--allow-http", is_flag=True, help="Ask addresses without encryption too."),
    click.option(
        "--allow-private", is_flag=True, help="Ask this machine and private networks too."
    ),
    click.option(
        "--token-from",
        metavar="NAME",
        help="Environment variable with a token for the address's own host.",
    ),
)


def access_options(command: _Command) -> _Command:
    """Give a command the options that say what may be asked of the network."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def access_from(
    *, budget_bytes: int | None, allow_http: bool, allow_private: bool, token_from: str | None
) -> Access:
    """Return what the options allow.

    Raises:
        click.UsageError: The environment has no such variable.
    """
    token = "" if token_from is None else os.environ.get(token_from, "")
    if token_from is not None and not token:
        raise click.UsageError(f"the environment has no variable {token_from}")
    return Access(
        budget_bytes=budget_bytes,
        allow_http=allow_http,
        allow_private=allow_private,
        token=token,
    )
