"""What pytest collects: workers only where what they import is there."""

from importlib.util import find_spec

# Examples in docstrings are collected by importing their module, and these import torch.
collect_ignore_glob = [] if find_spec("torch") else ["src/dokja/models/forge/workers/*"]
