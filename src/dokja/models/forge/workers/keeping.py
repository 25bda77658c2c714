"""What a loop does between steps: tell, keep, and stop when asked to; whoever's loop it is."""

import math
import os
from dataclasses import dataclass

import torch

from dokja.errors import EngineError
from dokja.models.forge.engines.checkpoints import Checkpoint
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.runs import Run, State
from dokja.models.forge.workers.holding import Held
from dokja.models.forge.workers.settings import environment
from dokja.models.forge.workers.training import Measures, Signals, restore

__all__ = ["Keeper", "World"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The processes of a run, as torchrun says them.

    Attributes:
        rank: Which one this is; 0 writes.
        local: Which one on this machine.
        size: How many there are.
    """

    rank: int
    local: int
    size: int

    @classmethod
    def of(cls) -> "World":
        """Return what the environment says; one process when it says nothing."""
        said = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"))
        rank, local, size = (int(value) if value else 0 for value in said)
        return cls(rank=rank, local=local, size=max(size, 1))


class Keeper:
    """Tells what steps measured and keeps states.

    Attributes:
        adamw: The optimizer, bare of wrappers; set before `begin`.
        measures: Where the loop leaves losses and norms.
        first: Steps that were done when this process began.
        interrupted: The signal that ended the run early; None when none did.
    """

    adamw: torch.optim.Optimizer

    def __init__(
        self,
        job: Job,
        held: Held,
        *,
        run: Run | None,
        engine: str,
        resumed: Checkpoint | None,
        world: World,
        signals: Signals,
    ) -> None:
        """Set it up.

        Args:
            job: What is trained.
            held: The network in training.
            run: The written side; none in processes that do not write.
            engine: What records call the engine.
            resumed: The checkpoint that the run goes on from.
            world: The processes.
            signals: Where a question to stop arrives.
        """
        self.measures = Measures()
        self.first = job.first_step if resumed is None else resumed.state.step
        self.interrupted: str | None = None
        self._job = job
        self._held = held
        self._run = run
        self._engine = engine
        self._resumed = resumed
        self._world = world
        self._signals = signals

    def begin(self) -> None:
        """Put the optimizer where the checkpoint left it, and say that the run begins."""
        if self._resumed is not None:
            restore(
                self.adamw,
                self._resumed,
                fused=self._job.fused,
                views=self._held.cut,
                trained=self._held.trained,
            )
        if self._run is not None:
            told = environment(self._job, engine=self._engine, processes=self._world.size)
            self._run.begin(told, resumed=self._resumed)
            if self._resumed is None:
                self._run.keep(self.state(self.first))

    def state(self, step: int) -> State:
        """Return the whole state after a step."""
        done = 0 if self._resumed is None else self._resumed.state.updates
        return self._held.state(self.adamw, updates=done + step - self.first)

    def after(self, step: int) -> bool:
        """Tell and keep what is due after a step; return whether the loop must stop.

        Raises:
            EngineError: A number is not finite.
        """
        keeps = self._job.wants_checkpoint(step)
        tells = keeps or step % self._job.log_every == 0
        # Several processes must stop after the same step: they ask each other when they tell.
        asked = (tells or self._world.size == 1) and self._stop_asked()
        if not (tells or asked):
            return False
        self._tell(step)
        if self._run is not None and (keeps or asked):
            self._keep(step, behind=not asked and step < self._job.last_step)
        if not asked or step >= self._job.last_step:
            return False
        self.interrupted = self._signals.received or "a signal to another process"
        if self._run is not None:
            self._run.interrupt(f"asked to stop by {self.interrupted}; a checkpoint was written")
        return True

    def _keep(self, step: int, *, behind: bool) -> None:
        """Write a state; a GPU's goes to memory of its own, and training need not wait for it."""
        state = self.state(step)
        if self._run is None:
            return
        if behind and self._job.device == "cuda":
            self._run.keep_behind(state)
        else:
            self._run.keep(state)

    def _tell(self, step: int) -> None:
        losses, norms = self.measures.take(processes=self._world.size)
        if self._run is not None:
            self._run.tell(losses, norms)
        elif not all(map(math.isfinite, losses + norms)):
            raise EngineError(f"a number before step {step} is not finite")

    def _stop_asked(self) -> bool:
        asked = self._signals.received is not None
        if self._world.size == 1:
            return asked
        device = self._held.trained[0][1].device
        answers = torch.tensor([float(asked)], device=device)
        torch.distributed.all_reduce(answers)
        return bool(answers.item())
