"""Floor of papers in, training records out. No room stands here yet.

The rooms to come are `reading`, `cleaning`, `deduplicating`, `rights` and `packing`; each enters
as a package with its own door, and nothing above it is imported.
"""

__all__: list[str] = []
