"""Reads sizes out of somebody's `config.json`, and keeps everything that stands against it.

A configuration is a claim. A key that would change what is computed and is not among a family's
sizes is refused by name, never passed over; keys that change nothing are not looked at.
"""

from collections.abc import Mapping
from typing import Any

from dokja.errors import Mistake
from dokja.models.weights.headers import shown

__all__ = ["NO", "YES", "ConfigReader"]

YES, NO = (True,), (False,)
"""The one value that `only` may find."""

# What changes the computation in some networks, with the values under which it changes nothing.
_WITHOUT_EFFECT: Mapping[str, tuple[object, ...]] = {
    "attention_bias": (False, None),
    "mlp_bias": (False, None),
    "partial_rotary_factor": (1, None),
    "rope_scaling": (None,),
    "quantization_config": (None,),
    "auto_map": (None,),
    "logit_scale": (1, None),
    "attention_multiplier": (None,),
    "residual_multiplier": (1, None),
    "embedding_multiplier": (1, None),
    "final_logit_softcapping": (None,),
    "attn_logit_softcapping": (None,),
    "use_qk_norm": (False, None),
}


class ConfigReader:
    """Reads one value after another; what is wrong is kept, and a stand-in returned.

    Attributes:
        mistakes: Everything found so far.
    """

    def __init__(self, config: Mapping[str, Any], *, file: str) -> None:
        self.mistakes: list[Mistake] = []
        self._config = config
        self._file = file
        for key, harmless in _WITHOUT_EFFECT.items():
            self.only(key, *harmless)

    def against(self, key: str, *, read: object, expected: str) -> None:
        """Keep that a key holds something else than it should."""
        text = "nothing" if read is None else shown(read)
        self.mistakes.append(Mistake(file=self._file, place=key, read=text, expected=expected))

    def only(self, key: str, *values: object) -> None:
        """Keep a mistake unless the key is absent or holds one of these values."""
        if key not in self._config:
            return
        read = self._config[key]
        if not any(read == value and isinstance(read, bool) is isinstance(value, bool)
                   for value in values):  # fmt: skip  # JSON's true is no 1
            known = " or ".join(repr(value) for value in values if value is not None)
            self.against(key, read=read, expected=known or "nothing")

    def whole(self, key: str, *, otherwise: int | None = None, least: int = 1) -> int:
        """Return a whole number; an absent one reads as `otherwise`, a wrong one as `least`."""
        read = self._config.get(key)
        read = otherwise if read is None else read
        if isinstance(read, int) and not isinstance(read, bool) and read >= least:
            return read
        self.against(key, read=read, expected=f"a whole number from {least}")
        return least

    def maybe(self, key: str) -> int | None:
        """Return a whole number, or none when it is absent or null."""
        return None if self._config.get(key) is None else self.whole(key)

    def positive(self, key: str, *, otherwise: float | None = None) -> float:
        """Return a positive number; an absent one reads as `otherwise`, a wrong one as 1."""
        return self._positive(key, self._config.get(key, otherwise))

    def flag(self, key: str, *, otherwise: bool) -> bool:
        """Return a truth value; an absent one reads as `otherwise`."""
        read = self._config.get(key)
        read = otherwise if read is None else read
        if isinstance(read, bool):
            return read
        self.against(key, read=read, expected="true or false")
        return otherwise

    def rotation(self, *, otherwise: float) -> float:
        """Return the rotary base; newer configurations keep it in an object of its own."""
        inner = self._config.get("rope_parameters")
        stated = self._config.get("rope_theta", otherwise)
        if inner is not None and not isinstance(inner, Mapping):
            self.against("rope_parameters", read=inner, expected="an object")
        if isinstance(inner, Mapping):
            if inner.get("rope_type", "default") != "default":
                self.against(
                    "rope_parameters.rope_type", read=inner["rope_type"], expected="'default'"
                )
            others = sorted(set(inner) - {"rope_theta", "rope_type"})
            if others:
                self.against("rope_parameters", read=", ".join(others), expected="only rope_theta")
            stated = inner.get("rope_theta", stated)
        return self._positive("rope_theta", stated)

    def _positive(self, key: str, read: object) -> float:
        sound = isinstance(read, int | float) and not isinstance(read, bool)
        if sound and 0 < float(read) < float("inf"):  # type: ignore[arg-type]  # a number by now
            return float(read)  # type: ignore[arg-type]  # likewise
        self.against(key, read=read, expected="a positive number")
        return 1.0
