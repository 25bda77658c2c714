"""Running a plan: engines work as processes, and a chain says what they did while they do it."""

from dokja.models.forge.running.attaching import Left, read_left
from dokja.models.forge.running.building import Builder
from dokja.models.forge.running.launching import Cluster
from dokja.models.forge.running.run import RunResult, run_plan

__all__ = ["Builder", "Cluster", "Left", "RunResult", "read_left", "run_plan"]
