"""Dokja runs a sovereign-AI foundation-model programme on evidence.

Five floors, data flows one way: documents → models → evidence → decisions → public.
`values` and `errors` stand under all of them; `cli` stands on top of all of them.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
