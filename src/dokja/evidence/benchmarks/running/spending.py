"""What asking costs, by a declared table of prices; without one nobody knows, and it is not 0."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256

from dokja.values import Json, canonical_bytes

__all__ = ["Prices"]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of a million tokens.

    Attributes:
        currency: Such as `USD`.
        tokens_in: Of the prompt.
        tokens_out: Of the answer, reasoning included.
        cached: Of the prompt's cached tokens; None where they cost as much as others.
    """

    currency: str
    tokens_in: Decimal
    tokens_out: Decimal
    cached: Decimal | None = None

    @property
    def said(self) -> dict[str, Json]:
        """The table as plans hold it."""
        said: dict[str, Json] = {
            "currency": self.currency,
            "per_million_in": str(self.tokens_in),
            "per_million_out": str(self.tokens_out),
        }
        return said if self.cached is None else {**said, "per_million_cached": str(self.cached)}

    @property
    def digest(self) -> str:
        """Names the table, as hexadecimal digits."""
        return sha256(canonical_bytes(self.said)).hexdigest()

    def cost_micro(
        self, tokens_in: int | None, tokens_out: int | None, cached: int | None = None
    ) -> int | None:
        """Return what a reply cost in millionths of the currency, rounded up; None if unknown.

        Example:
            >>> table = Prices(currency="USD", tokens_in=Decimal("0.15"), tokens_out=Decimal(1))
            >>> table.cost_micro(100, 7), table.cost_micro(100, None)
            (22, None)
        """
        if tokens_in is None or tokens_out is None:
            return None
        cost = tokens_in * self.tokens_in + tokens_out * self.tokens_out
        if cached and self.cached is not None:
            cost += min(cached, tokens_in) * (self.cached - self.tokens_in)
        return int(cost.to_integral_value(rounding=ROUND_CEILING))

    def most_micro(self, request: bytes, *, tokens: int | None) -> int:
        """Return the most that a request can cost: no token is shorter than a byte.

        Args:
            request: As it goes over the wire.
            tokens: The longest answer; without one a million tokens are taken.
        """
        cost = self.cost_micro(len(request), _MILLION if tokens is None else tokens)
        return 0 if cost is None else cost
