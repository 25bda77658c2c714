"""Judge models at work: asked over the wire or in this process, every reply kept, none paid twice.

`JudgeFile` keeps what a judge replied, `EndpointJudge` and `LocalJudge` ask, and `ConnectedJudge`
joins the two: a scorer finds every reply by its request, and what it does not find is asked for,
many at once. `judged_rates` says what a judge's verdicts come to once its error is known.
"""

from dokja.evidence.benchmarks.judges.asking import EndpointJudge, LocalJudge
from dokja.evidence.benchmarks.judges.connected import ConnectedJudge
from dokja.evidence.benchmarks.judges.kept import JudgeFile, JudgeSystem
from dokja.evidence.benchmarks.judges.rates import JudgedRate, judged_rates

__all__ = [
    "ConnectedJudge",
    "EndpointJudge",
    "JudgeFile",
    "JudgeSystem",
    "JudgedRate",
    "LocalJudge",
    "judged_rates",
]
