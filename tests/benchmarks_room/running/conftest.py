"""What the runner's tests share: sums, a model that is always right, and short waits."""

import asyncio
import json
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dokja.evidence.benchmarks.running import (
    Limits,
    OpenRun,
    Plan,
    Prices,
    RunFolder,
    Sources,
    System,
    begin_run,
    conclude,
    make_plan,
    plain_form,
    run_endpoint,
)
from dokja.evidence.benchmarks.scorers import ALONE
from dokja.evidence.benchmarks.suites import Item, Suite
from dokja.models.serving.endpoints import Endpoint, Family, Patience

MODEL = "always-right"
QUICK = Limits(
    patience=Patience(connect_s=1.0, idle_s=0.08, total_s=0.16),
    backoff_s=0.001,
    backoff_most_s=0.002,
    breaker_s=0.001,
    breaker_most_s=0.002,
    breaker_pauses=1000,
    grace_s=0.5,
    tick_s=0.05,
)
TABLE = Prices(currency="USD", tokens_in=Decimal(1), tokens_out=Decimal(10))


def clock():
    return time.time_ns() // 1_000_000


def sums(count):
    items = [
        Item(
            id=f"sums-{number:04d}",
            prompt=f"{number} + 1 = ?",
            answer=str(number + 1),
            cluster=f"family-{number % 5}",
            language="ko",
        )
        for number in range(count)
    ]
    return Suite(name="sums", items=tuple(items))


@dataclass
class Run:
    """A run against an endpoint, as often as it is asked for."""

    folder: Path
    plan: Plan
    order: Any
    form: Any
    server: Any

    def go(self, limits=QUICK, *, begun=None, watch=None, looks=False, clock=clock):
        endpoint = Endpoint(
            self.plan.system.endpoint,
            headers={},
            patience=limits.patience,
            streamed="stream" in self.plan.request,
            lines=limits.concurrency,
        )
        sources = Sources(clock=clock, aids=ALONE, watch=watch, looks=looks)
        with RunFolder(self.folder, order=self.order) as folder:
            return asyncio.run(
                run_endpoint(
                    folder,
                    form=self.form,
                    endpoint=endpoint,
                    limits=limits,
                    sources=sources,
                    begun=begun,
                )
            )

    def told(self):
        """The run's summary."""
        with OpenRun(self.folder, order=self.order) as run:
            return conclude(run, form=self.form, aids=ALONE, engine="dokja test")

    @property
    def records(self):
        lines = (self.folder / "records.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def journal(self):
        lines = (self.folder / "journal.jsonl").read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    def lines(self, did):
        return [line for line in self.journal if line["did"] == did]


@pytest.fixture
def run(tmp_path, endpoint):
    """Begins a run of so many sums against an endpoint that behaves so."""

    def begin(count=20, *, request=None, plan=None, name="run", keep=False, **behaviour):
        suite = sums(count)
        server = endpoint(
            {item.prompt: item.answer for item in suite.items}, keep=keep, **behaviour
        )
        form = plain_form(suite, family=Family.CHAT)
        system = System(
            label="m",
            family="chat-completions",
            model=MODEL,
            endpoint=f"{server.url}/chat/completions",
            reported=(MODEL,),
        )
        made, order = make_plan(
            form,
            system=system,
            request={"model": MODEL, "max_tokens": 16, "temperature": 0, **(request or {})},
            tokens=16,
            **(plan or {}),
        )
        folder = tmp_path / name
        begin_run(folder, made)
        return Run(folder=folder, plan=made, order=order, form=form, server=server)

    return begin


@pytest.fixture
def quick():
    """The limits of tests, some of them changed."""
    return lambda **changes: replace(QUICK, **changes)


@pytest.fixture
def prices():
    return TABLE
