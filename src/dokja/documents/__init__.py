"""Floor of papers in, training records out.

`packing` writes token shards and their manifests. The rooms to come are `reading`, `cleaning`,
`deduplicating` and `rights`; each enters as a package with its own door, and nothing above the
floor is imported.
"""

__all__: list[str] = []
