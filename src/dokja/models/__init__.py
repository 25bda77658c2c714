"""Floor of models: open them safely (`weights`), liken them (`comparison`), ask them (`serving`).

Nothing from a submission is ever executed here.
"""

__all__ = ["comparison", "serving", "weights"]
