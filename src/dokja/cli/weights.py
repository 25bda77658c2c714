"""`dokja weights`: what weights hold, here or far away, and what was read to say so."""

from collections import Counter
from typing import Any

import click
import numpy as np

from dokja.cli.addresses import access_from, access_options
from dokja.cli.printing import as_json, emit, say, table
from dokja.models.weights import RangeAccount, Source, open_source

__all__ = ["weights"]


@click.command
@click.argument("where")
@click.option(
    "--tensor", "tensors", multiple=True, metavar="NAME", help="Read this tensor and describe it."
)
@access_options
@as_json
def weights(where: str, tensors: tuple[str, ...], *, as_json: bool, **network: Any) -> int:
    """Show what the weights at WHERE hold, and every byte that was read for it.

    WHERE is a folder or file of safetensors or GGUF, or an address: https://host/folder/,
    https://host/model.gguf, or hf://owner/name@revision. Nothing is read but headers, the
    configuration, and the tensors that are named.

    \b
    Examples:
      dokja weights sample/programme/models/garam-1
      dokja weights hf://owner/name --tensor model.norm.weight --budget-bytes 5000000
    """
    account = RangeAccount()
    source = open_source(where, access=access_from(**network), account=account)
    unknown = [name for name in tensors if name not in source.names]
    if unknown:
        raise click.UsageError(f"no tensor {unknown[0]!r}; one of {len(source.names)} there")
    described = [_described(source, name) for name in tensors]
    types = Counter(source.info(name).dtype for name in source.names)
    read = {
        "bytes": account.bytes,
        "ranges": len(account.ranges()),
        "ranges_digest": str(account.digest()),
    }
    if as_json:
        emit(
            {
                "schema": "dokja.weights/1",
                "name": source.name,
                "tensors": len(source.names),
                "parameters": source.parameters,
                "types": dict(sorted(types.items())),
                "model_type": (source.config or {}).get("model_type"),
                "described": described,
                "read": read,
            }
        )
        return 0
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(types.items()))
    say(f"{source.name}: {source.parameters:,} parameters in {len(source.names)} tensors ({kinds})")
    if described:
        header = ["tensor", "type", "shape", "mean", "deviation", "not finite"]
        say(table(header, [[str(value) for value in one.values()] for one in described]))
    say(f"read {account.bytes:,} bytes in {read['ranges']} ranges: {read['ranges_digest']}")
    return 0


def _described(source: Source, name: str) -> dict[str, Any]:
    """Return shape, mean and deviation of a tensor; of no finite values there are none."""
    info = source.info(name)
    count, total, squares, odd = 0, 0.0, 0.0, 0
    for block in source.row_blocks(name):
        finite = block[np.isfinite(block)].astype(np.float64)
        odd += block.size - finite.size
        count += finite.size
        total += float(finite.sum())
        squares += float(np.square(finite).sum())
    mean = total / count if count else None
    spread = None if mean is None else max(squares / count - mean * mean, 0.0) ** 0.5
    return {
        "tensor": name,
        "type": info.dtype,
        "shape": list(info.shape),
        "mean": None if mean is None else round(mean, 6),
        "deviation": None if spread is None else round(spread, 6),
        "not_finite": odd,
    }
