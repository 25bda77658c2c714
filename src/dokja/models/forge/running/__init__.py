"""Running a plan: engines work as processes, and a chain says what they did while they do it."""

from dokja.models.forge.running.run import Builder, RunResult, run_plan

__all__ = ["Builder", "RunResult", "run_plan"]
