"""Tables of prices: TOML with a currency and what a million tokens cost, as text."""

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path

from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.running import Prices

__all__ = ["read_prices"]

_NEEDED = ("per_million_in", "per_million_out")
_FREE = "per_million_cached"


def read_prices(path: Path) -> Prices:
    """Return a table of prices.

    Raises:
        InputError: It is none; every mistake at once.
    """
    file = str(path)
    try:
        said = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        wrong = Mistake(file=file, place="", read=str(error), expected="a TOML file of prices")
        raise InputError([wrong]) from error
    mistakes = [
        Mistake(file=file, place=key, read=repr(said[key]), expected="no such key")
        for key in sorted(said.keys() - {"currency", _FREE, *_NEEDED})
    ]
    if not isinstance(said.get("currency"), str) or not said["currency"]:
        read = repr(said.get("currency"))
        mistakes.append(
            Mistake(file=file, place="currency", read=read, expected="text, such as 'USD'")
        )
    found: dict[str, Decimal] = {}
    for key in (*_NEEDED, _FREE):
        if key == _FREE and key not in said:
            continue
        price = _decimal(said.get(key))
        if price is None:
            expected = "a price as text, such as '0.15'"
            read = repr(said.get(key))
            mistakes.append(Mistake(file=file, place=key, read=read, expected=expected))
        else:
            found[key] = price
    if mistakes:
        raise InputError(mistakes)
    return Prices(
        currency=said["currency"],
        tokens_in=found["per_million_in"],
        tokens_out=found["per_million_out"],
        cached=found.get("per_million_cached"),
    )


def _decimal(said: object) -> Decimal | None:
    if not isinstance(said, str):
        return None
    try:
        price = Decimal(said)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None
