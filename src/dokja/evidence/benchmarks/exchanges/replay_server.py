"""The replay server: stands where the endpoint stood, and says only what was recorded."""

from dokja.errors import RecordingBrokenError, RecordingError
from dokja.evidence.benchmarks.exchanges.replays import Miss, Replay
from dokja.evidence.benchmarks.exchanges.serving import answer_from
from dokja.evidence.benchmarks.exchanges.sides import Request
from dokja.evidence.benchmarks.exchanges.web import answering, refusal, web

__all__ = ["ReplayServer"]


class ReplayServer:
    """Answers from a store.

    Attributes:
        server: What answers on loopback.
        replay: The answers, and what was missed.
        broken: Bodies that were edited after they were written.
    """

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.server = answering(self._answer)
        self.broken: list[RecordingBrokenError] = []

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = Request(
            method=request.method,
            path=request.raw_path,
            body=await request.read(),
            idempotency=request.headers.get("Idempotency-Key"),
        )
        found = self.replay.take(asked)
        if isinstance(found, Miss):
            return refusal(404, "dokja_replay_miss", str(found))
        try:
            return await answer_from(self.replay.recording.bodies, found, request)
        except RecordingBrokenError as error:
            self.broken.append(error)
            return refusal(404, "dokja_replay_broken", str(error))
        except RecordingError as error:
            self.replay.incomplete.append(found)
            return refusal(404, "dokja_replay_incomplete", str(error))
