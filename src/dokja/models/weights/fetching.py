"""Fetches ranges of files far away, and believes no answer that is not exactly what was asked.

A range is answered with 206, the very range and length that were asked for, no encoding, and
the mark (ETag) and total of the first answer; anything else ends before its body is read. A
line that is cut goes on from the byte where it was cut, a few times in a row and no more. What
could go beyond the budget is not asked for.
"""

import http.client
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from dokja.errors import Mistake, RemoteError
from dokja.models.weights.access import Access
from dokja.models.weights.addresses import Address
from dokja.models.weights.exchanges import Answer, Exchanges
from dokja.models.weights.headers import shown
from dokja.models.weights.ranges import RangeAccount

__all__ = ["Fetcher", "Mark"]

_OK, _PARTIAL, _NOT_FOUND, _NO_SUCH_RANGE = 200, 206, 404, 416
_COME_BACK = frozenset({429, 500, 502, 503, 504})
_GONE = frozenset({401, 403, 404, 410})
_GET_ON = 1 << 20
"""Bytes that must have come for a cut line not to count as one more failure in a row."""

_PART = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_EMPTY_RANGE = re.compile(r"bytes \*/0")
_LARGEST = 2**62
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a file far away was when it was opened; whatever else it is later is another file.

    Attributes:
        bytes: Its length.
        etag: The server's mark of its content; empty when it gives none.
        modified: When it was changed last, where the server gives no ETag; empty otherwise.
    """

    bytes: int
    etag: str
    modified: str


class Fetcher:
    """Fetches within one budget, noting every range; several threads may fetch.

    Args:
        access: The bounds.
        account: Where ranges are noted.
        home: The address that was named; its host gets the token, and no other.
    """

    def __init__(self, access: Access, account: RangeAccount, *, home: Address) -> None:
        self.access, self.account = access, account
        self._exchanges = Exchanges(access, home=home)
        self._promised = 0
        self._spending = Lock()

    def exists(self, address: Address) -> bool:
        """Tell whether there is a file; a server that says neither yes nor no has one.

        Raises:
            RemoteError: The address may not be asked, or nothing sound came back.
        """

        def asked() -> bool:
            with self._exchanges.asked(address, method="HEAD", headers={}) as answer:
                answer.response.read()
                if answer.status in _COME_BACK:
                    raise _status_error(answer, address.shown)
                return answer.status != _NOT_FOUND

        return self._again(asked)

    def whole(self, address: Address, *, name: str, at_most: int) -> tuple[bytes, str] | None:
        """Return a small file and the commit that it is of, or None when there is none.

        Small files are asked for whole: servers answer ranges of them as they like.

        Args:
            address: Where it is.
            name: What the account calls it.
            at_most: Longest that it may be, in bytes.

        Raises:
            RemoteError: It is too long, beyond the budget, or cannot be fetched.
        """
        return self._again(lambda: self._whole(address, name=name, at_most=at_most))

    def first(self, address: Address, *, name: str, length: int) -> tuple[bytes, Mark, Address]:
        """Return a file's first bytes, its mark, and the address that it was answered from.

        Args:
            address: Where it is.
            name: What the account calls it.
            length: How many bytes to ask for; a shorter file comes whole.

        Raises:
            RemoteError: It cannot be fetched, or not within the bounds.
        """
        return self._again(lambda: self._first(address, name=name, length=length))

    def fill(
        self,
        places: Sequence[Address],
        buffer: memoryview,
        *,
        start: int,
        mark: Mark,
        name: str,
    ) -> None:
        """Fill the buffer with a file's bytes from `start` on, asking again where a line is cut.

        Args:
            places: Where it is: each is asked when the one before it knows the file no more.
            buffer: At least one byte.
            start: Its first byte that is wanted.
            mark: What the file was when it was opened.
            name: What the account calls it.

        Raises:
            RemoteError: It is another file now, the budget does not reach, or the server does
                not answer as it must.
        """
        done = failed = 0
        left = list(places)
        while done < len(buffer):
            got, trouble, status = self._once(left[0], buffer[done:], start=start + done, mark=mark)
            done += got
            if status in _GONE and len(left) > 1:
                left.pop(0)
            elif trouble is not None:
                failed = 0 if got >= _GET_ON else failed
                self._wait_or_raise(trouble, failed)
                failed += 1
        self.account.add(name, start, buffer)

    def _once(
        self, address: Address, buffer: memoryview, *, start: int, mark: Mark
    ) -> tuple[int, RemoteError | None, int]:
        """Ask once; return how many bytes came, why no more came, and the status."""
        last = start + len(buffer) - 1
        self._promise(len(buffer), address.shown)
        got = status = 0
        trouble: RemoteError | None = None
        try:
            with self._exchanges.asked(
                address,
                method="GET",
                headers={"Range": f"bytes={start}-{last}"},
            ) as answer:
                status = answer.status
                _sound_range(answer, address.shown, start=start, length=len(buffer), mark=mark)
                got = _filled(answer, buffer)
                if got < len(buffer):
                    raise _cut(address.shown, got, len(buffer))
                answer.response.read()
        except RemoteError as error:
            trouble = error
        finally:
            self._settle(len(buffer) - got)
        return got, trouble, status

    def _whole(self, address: Address, *, name: str, at_most: int) -> tuple[bytes, str] | None:
        with self._exchanges.asked(address, method="GET", headers={}) as answer:
            if answer.status == _NOT_FOUND:
                return None
            buffer = bytearray(_sound_whole(answer, address.shown, at_most=at_most))
            self._promise(len(buffer), address.shown)
            got = _filled(answer, memoryview(buffer))
            self._settle(len(buffer) - got)
            if got < len(buffer):
                raise _cut(address.shown, got, len(buffer))
            answer.response.read()
            self.account.add(name, 0, buffer)
            return bytes(buffer), answer.commit

    def _first(self, address: Address, *, name: str, length: int) -> tuple[bytes, Mark, Address]:
        self._promise(length, address.shown)
        got = 0
        try:
            with self._exchanges.asked(
                address,
                method="GET",
                headers={"Range": f"bytes=0-{length - 1}"},
            ) as answer:
                if answer.status == _NO_SUCH_RANGE and _EMPTY_RANGE.fullmatch(
                    answer.header("content-range")
                ):
                    return b"", _mark(answer, 0), answer.address
                total = _sound_range(answer, address.shown, start=0, length=length, mark=None)
                buffer = bytearray(min(length, total))
                got = _filled(answer, memoryview(buffer))
                if got < len(buffer):
                    raise _cut(address.shown, got, len(buffer))
                answer.response.read()
                self.account.add(name, 0, buffer)
                return bytes(buffer), _mark(answer, total), answer.address
        finally:
            self._settle(length - got)

    def _promise(self, length: int, file: str) -> None:
        budget = self.access.budget_bytes
        with self._spending:
            if budget is not None and self._promised + length > budget:
                raise _unsound(
                    file,
                    f"{self._promised} bytes fetched and {length} more to fetch",
                    f"at most the budget of {budget} bytes",
                    "The request was not sent. Give a larger budget, or read less.",
                )
            self._promised += length

    def _settle(self, unused: int) -> None:
        with self._spending:
            self._promised -= unused

    def _wait_or_raise(self, error: RemoteError, failed: int) -> None:
        """Pause before the next try, unless no try is left or none would help.

        Raises:
            RemoteError: The error itself.
        """
        if error.wait_s is None or failed + 1 >= self.access.tries:
            raise error
        pause = error.wait_s * (2**failed if error.wait_s < 1 else 1)
        self.access.wait(min(pause, self.access.longest_wait_s))

    def _again(self, work: Callable[[], _Found]) -> _Found:
        failed = 0
        while True:
            try:
                return work()
            except RemoteError as error:
                self._wait_or_raise(error, failed)
            failed += 1


def _sound_whole(answer: Answer, file: str, *, at_most: int) -> int:
    if answer.status != _OK:
        raise _status_error(answer, file)
    _plain(answer, file)
    length = answer.header("content-length")
    if not re.fullmatch(r"\d{1,18}", length) or int(length) > at_most:
        raise _unsound(file, f"a length of {shown(length)}", f"at most {at_most} bytes")
    return int(length)


def _sound_range(answer: Answer, file: str, *, start: int, length: int, mark: Mark | None) -> int:
    """Return the file's length, when the answer is the range that was asked for.

    Raises:
        RemoteError: It is anything else.
    """
    if answer.status == _OK:
        raise _unsound(
            file,
            "the whole file in answer to a range",
            "206 and the range",
            "Its body was not read. Fetch the file and read it here, or ask another server.",
        )
    if answer.status == _NO_SUCH_RANGE and mark is not None:
        raise _changed(file, "a shorter file than before")
    if answer.status != _PARTIAL:
        raise _status_error(answer, file)
    _plain(answer, file)
    said = answer.header("content-range")
    match = _CONTENT_RANGE.fullmatch(said)
    total = int(match[3]) if match else 0
    last = min(start + length, total if mark is None else start + length) - 1
    if match is None or (int(match[1]), int(match[2])) != (start, last) or total > _LARGEST:
        raise _unsound(file, f"the range {shown(said)}", f"bytes {start}-{last}/…")
    if answer.header("content-length") != str(last - start + 1):
        told = shown(answer.header("content-length"))
        raise _unsound(file, f"a length of {told}", f"{last - start + 1}, as the range has")
    if mark is not None and _mark(answer, total) != mark:
        raise _changed(file, "another file than at first: another length, ETag or date")
    return total


def _mark(answer: Answer, total: int) -> Mark:
    etag = answer.header("etag")
    # Copies of one file may differ in their dates, and not in their ETags.
    return Mark(bytes=total, etag=etag, modified="" if etag else answer.header("last-modified"))


def _plain(answer: Answer, file: str) -> None:
    encoding = answer.header("content-encoding").lower()
    if encoding not in {"", "identity"} or answer.header("transfer-encoding"):
        how = encoding or answer.header("transfer-encoding")
        raise _unsound(file, f"an answer in the encoding {shown(how)}", "the file's own bytes")


def _filled(answer: Answer, buffer: memoryview) -> int:
    """Return how many bytes of the body came, all of them unless the line was cut."""
    got = 0
    answer.allow(len(buffer))
    try:
        while got < len(buffer):
            part = answer.response.read1(min(_PART, len(buffer) - got))
            if not part:
                break
            buffer[got : got + len(part)] = part
            got += len(part)
    except (OSError, http.client.HTTPException):
        return got
    return got


def _status_error(answer: Answer, file: str) -> RemoteError:
    wait_s: float | None = None
    if answer.status in _COME_BACK:
        asked = answer.header("retry-after")
        wait_s = float(asked) if re.fullmatch(r"\d{1,6}", asked) else 0.5
    return RemoteError(
        [Mistake(file=file, place="", read=f"the status {answer.status}", expected="the file")],
        wait_s=wait_s,
    )


def _cut(file: str, got: int, wanted: int) -> RemoteError:
    return RemoteError(
        [
            Mistake(
                file=file,
                place="",
                read=f"{got} of {wanted} bytes, and then silence or the end of the line",
                expected="all of them",
                remedy="Try again later: what was read before stands.",
            )
        ],
        wait_s=0.2,
    )


def _changed(file: str, read: str) -> RemoteError:
    return _unsound(
        file,
        read,
        "a file that stays the same while it is read",
        "What was read of it before is void; open it again.",
    )


def _unsound(file: str, read: str, expected: str, remedy: str = "") -> RemoteError:
    return RemoteError([Mistake(file=file, place="", read=read, expected=expected, remedy=remedy)])
