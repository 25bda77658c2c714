"""Floor of what the public sees. It shows decisions and judges nothing."""

__all__ = ["reports"]
