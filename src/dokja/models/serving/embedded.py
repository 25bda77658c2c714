"""A small Llama-like model that answers in this process, without torch.

Answers are greedy: the likeliest token each time, the lowest id among equals, until the end
mark. Prompts are sorted by length and answered in batches that fit into the memory allowed;
which prompts share a batch changes logits by rounding at most.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dokja.models.serving.architecture import Architecture
from dokja.models.serving.network import Network
from dokja.models.serving.responders import Answer, Finish, not_servable
from dokja.models.serving.tokenizing import Tokenizer
from dokja.models.weights import Source
from dokja.values import Digest, normal_form

__all__ = ["EmbeddedModel"]

_MOST_ROWS = 256
_FLOAT_BYTES = 4


class EmbeddedModel:
    """A model that was opened; made by `open_model`.

    Attributes:
        name: Of its folder.
        digest: Names its weights.
        architecture: Its sizes.
        tokenizer: Its own.
        unserved: Tensors of other components, which take no part in answering a text.
    """

    def __init__(
        self,
        source: Source,
        *,
        architecture: Architecture,
        network: Network,
        tokenizer: Tokenizer,
        ends: frozenset[int],
        unserved: tuple[str, ...],
        memory_bytes: int,
    ) -> None:
        self.architecture = architecture
        self.tokenizer = tokenizer
        self.unserved = unserved
        self._source = source
        self._network = network
        self._ends = ends
        self._memory_bytes = memory_bytes

    @property
    def name(self) -> str:
        """What the model is called in messages."""
        return self._source.name

    @property
    def digest(self) -> Digest:
        """The weights, named beyond doubt."""
        return self._source.digest

    def answer(self, prompts: Sequence[str], *, max_new_tokens: int) -> tuple[Answer, ...]:
        """Return one answer per prompt, in order.

        Args:
            prompts: Plain texts.
            max_new_tokens: The longest answer, in the model's own tokens; at least one.

        Raises:
            ValueError: `max_new_tokens` is not positive.
            NotServableError: Some prompts are empty of tokens, leave no room for an answer or
                need more memory than is allowed; or the weights drive the numbers beyond float32.
        """
        if max_new_tokens < 1:
            message = f"max_new_tokens is {max_new_tokens}; expected at least one"
            raise ValueError(message)
        encoded = [self.tokenizer.encode(prompt) for prompt in prompts]
        self._check_prompts(prompts, encoded, max_new_tokens=max_new_tokens)
        order = sorted(range(len(encoded)), key=lambda place: len(encoded[place]))
        answers: dict[int, Answer] = {}
        for places in self._batches(order, encoded, max_new_tokens=max_new_tokens):
            found = self._answer_batch([encoded[p] for p in places], max_new_tokens=max_new_tokens)
            answers |= dict(zip(places, found, strict=True))
        return tuple(answers[place] for place in range(len(prompts)))

    def logits(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits behind each token, shape `(tokens, vocabulary)`, for checking.

        Raises:
            ValueError: No ids, or ids that the embedding does not have, or more than fit.
            NotServableError: The weights drive the numbers beyond float32.
        """
        ids = np.asarray(token_ids, dtype=np.int64)
        sizes = self.architecture
        in_range = ids.ndim == 1 and 0 < ids.size <= sizes.positions
        if not in_range or ids.min() < 0 or ids.max() >= sizes.vocabulary:
            message = (
                f"expected 1 to {sizes.positions} token ids below {sizes.vocabulary}, "
                f"got {ids.size} of them"
            )
            raise ValueError(message)
        memory = self._network.memory(padding=np.zeros(1, dtype=np.int64), columns=ids.size)
        found: NDArray[np.float32] = self._logits(self._network.read(ids[None], memory))[0]
        return found

    def _logits(self, normed: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            return self._network.logits(normed)
        except FloatingPointError as error:
            raise not_servable(self.name, reasons=[str(error)]) from error

    def _check_prompts(
        self, prompts: Sequence[str], encoded: Sequence[Sequence[int]], *, max_new_tokens: int
    ) -> None:
        sizes = self.architecture
        needed = [self._row_bytes(len(ids), max_new_tokens=max_new_tokens) for ids in encoded]
        reasons = [
            f"prompt {place + 1} ({prompts[place]!r:.60}): read {len(ids)} tokens; "
            f"expected 1 to {sizes.positions - 1}"
            for place, ids in enumerate(encoded)
            if not 0 < len(ids) < sizes.positions
        ]
        reasons += [
            f"prompt {place + 1} ({prompts[place]!r:.60}): needs {row_bytes} bytes with its "
            f"answer; allowed are {self._memory_bytes}"
            for place, row_bytes in enumerate(needed)
            if row_bytes > self._memory_bytes
        ]
        if reasons:
            raise not_servable(self.name, reasons=reasons)

    def _batches(
        self, order: Sequence[int], encoded: Sequence[Sequence[int]], *, max_new_tokens: int
    ) -> Iterator[list[int]]:
        """Yield places of prompts of like length that fit into memory together."""
        batch: list[int] = []
        for place in order:  # lengths grow, so that the newest is the longest
            row = self._row_bytes(len(encoded[place]), max_new_tokens=max_new_tokens)
            if batch and (len(batch) == _MOST_ROWS or (len(batch) + 1) * row > self._memory_bytes):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _row_bytes(self, length: int, *, max_new_tokens: int) -> int:
        sizes = self.architecture
        columns = min(length + max_new_tokens, sizes.positions)
        kept = 2 * sizes.layers * sizes.kv_heads * sizes.head_width * columns
        passing = length * (6 * sizes.width + 6 * sizes.ffn + 3 * sizes.heads * sizes.head_width)
        scores = 2 * sizes.heads * length * length
        return _FLOAT_BYTES * (kept + passing + scores + 2 * sizes.vocabulary)

    def _answer_batch(
        self, encoded: Sequence[Sequence[int]], *, max_new_tokens: int
    ) -> list[Answer]:
        longest = max(map(len, encoded))
        padding = np.array([longest - len(ids) for ids in encoded], dtype=np.int64)
        ids = np.zeros((len(encoded), longest), dtype=np.int64)
        for row, known in enumerate(encoded):
            ids[row, padding[row] :] = known
        # Short prompts of a batch may say more than its longest: each ends at its own limit.
        limits = np.minimum(max_new_tokens, self.architecture.positions - longest + padding)
        memory = self._network.memory(padding=padding, columns=longest + int(limits.max()))
        said: list[list[int]] = [[] for _ in encoded]
        ended = [False] * len(encoded)
        rows = list(range(len(encoded)))
        column = ids
        while rows:
            normed = self._network.read(column, memory)[:, -1]
            chosen = self._logits(normed).argmax(axis=-1)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                if token in self._ends:
                    ended[row] = True
                else:
                    said[row].append(token)
            going = np.array([not ended[row] and len(said[row]) < limits[row] for row in rows])
            if not going.all():
                memory.keep(going)
            rows = [row for row, goes in zip(rows, going, strict=True) if goes]
            column = chosen[going, None]
        return [
            Answer(
                text=normal_form(self.tokenizer.decode(tokens)),
                finish=Finish.STOP if stopped else Finish.LENGTH,
                tokens_in=len(known),
                tokens_out=len(tokens),
            )
            for known, tokens, stopped in zip(encoded, said, ended, strict=True)
        ]
