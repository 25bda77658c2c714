"""Writes what starts a run elsewhere, and watches what a foreign engine leaves behind."""

from dokja.models.forge.launch.files import launch_files, write_launch
from dokja.models.forge.launch.request import Determinism, LaunchRequest

__all__ = ["Determinism", "LaunchRequest", "launch_files", "write_launch"]
