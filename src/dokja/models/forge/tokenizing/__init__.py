"""Tokenizers: trained so that anyone can train them again, looked through, and measured."""

__all__: list[str] = []
