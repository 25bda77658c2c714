"""The journal and the bodies: chained, torn, damaged, full."""

import hashlib
import json
import os
import resource
import signal
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RunError, RunWriteError
from dokja.evidence.benchmarks.running import OpenRun, RunFolder
from dokja.evidence.benchmarks.running.bodies import Bodies, Stored
from dokja.evidence.benchmarks.running.journal import Journal, read_lines
from dokja.evidence.benchmarks.running.lines import line_of
from dokja.values import canonical_bytes

pytestmark = pytest.mark.loopback

START = bytes(32)
FLAT = st.dictionaries(
    st.text(st.characters(codec="ascii"), min_size=1),
    st.one_of(
        st.text(), st.integers(-(2**53) + 1, 2**53 - 1), st.booleans(), st.floats(0, 1), st.none()
    ),
)


@given(FLAT)
def test_a_quick_line_is_the_canonical_one(said):
    assert line_of(said) == canonical_bytes(said)


@pytest.fixture
def written(tmp_path):
    """Writes a journal of so many lines and returns its path."""

    def write(count):
        path = tmp_path / "journal.jsonl"
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        journal = Journal(path, number=number, head=START, lines=0)
        for sample in range(count):
            journal.tell({"did": "ask", "s": sample, "이름": "가"})
        journal.sync()
        os.close(number)
        return path

    return write


def test_lines_come_back_in_order_with_their_places(written):
    path = written(5)

    lines = list(read_lines(path, start=START))

    data = path.read_bytes()
    assert [line.said["s"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line.said["n"] for line in lines] == [line.number for line in lines] == [1, 2, 3, 4, 5]
    assert all(data[line.offset : line.stop].endswith(b"\n") for line in lines)


def test_anybody_can_chain_the_lines_again(written):
    head = START
    for raw in written(4).read_bytes().splitlines():
        said = json.loads(raw)
        head = hashlib.sha256(
            head + canonical_bytes({k: said[k] for k in said if k != "h"})
        ).digest()

        assert said["h"] == head.hex()


def test_a_journal_of_another_plan_does_not_begin_here(written):
    with pytest.raises(RunError, match="line 1"):
        list(read_lines(written(2), start=bytes(31) + b"1"))


@given(st.data())
def test_any_change_is_found_at_its_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    journal = Journal(path, number=number, head=START, lines=0)
    for sample in range(6):
        journal.tell({"s": sample})
    os.close(number)
    lines = path.read_bytes().splitlines(keepends=True)
    place = data.draw(st.integers(0, 5))
    line = bytearray(lines[place])
    at = data.draw(st.integers(0, len(line) - 2))
    line[at] = data.draw(st.integers(32, 126).filter(lambda sign: sign != line[at]))
    path.write_bytes(b"".join([*lines[:place], bytes(line), *lines[place + 1 :]]))

    with pytest.raises(RunError, match=rf"line {place + 1}:"):
        list(read_lines(path, start=START))


def test_a_line_that_was_taken_out_is_found(written):
    path = written(4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:1], *lines[2:]]))

    with pytest.raises(RunError, match="line 2"):
        list(read_lines(path, start=START))


def bodies(path):
    return Bodies(path, number=os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND))


@given(
    st.lists(
        st.one_of(st.binary(max_size=200), st.binary(max_size=9).map(lambda x: x * 999)),
        min_size=1,
        max_size=8,
    )
)
def test_bodies_come_back_byte_by_byte_after_opening_again(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("bodies") / "bodies.pack"
    kept = bodies(path)
    places = [kept.put(body) for body in said]

    again = bodies(path)

    assert [again.get(place) for place in places] == said
    assert again.get(again.put(b"more")) == b"more"


def test_like_bodies_take_little_room(tmp_path):
    kept = bodies(tmp_path / "bodies.pack")
    said = [
        b'{"id": "%06d", "object": "chat.completion", "text": "%d"}' % (n, n) for n in range(99)
    ]

    lengths = [kept.put(body).length for body in said]

    assert max(lengths[1:]) < len(said[0]) / 2


def test_a_changed_body_is_told(tmp_path):
    path = tmp_path / "bodies.pack"
    kept = bodies(path)
    place = kept.put(b"first body")
    data = bytearray(path.read_bytes())
    data[place.at] ^= 1
    path.write_bytes(data)

    assert not kept.holds(place)
    with pytest.raises(RunError, match=r"bodies\.pack"):
        kept.get(place)
    assert not kept.holds(Stored(place.at, place.length + 999, place.sha256))


def test_half_a_line_is_cut_off_and_kept_beside(run):
    one = run(8)
    one.go()
    path = one.folder / "journal.jsonl"
    whole = path.read_bytes()
    cut = whole.rindex(b'{"h"', 0, -1) + 40
    path.write_bytes(whole[:cut])

    one.go()

    torn = one.folder / "journal.jsonl.torn-1"
    assert whole[:cut].endswith(torn.read_bytes())
    assert one.told().outcomes == {"correct": 8}


def test_damage_elsewhere_stops_with_the_line_and_changes_nothing(run):
    one = run(8)
    one.go()
    path = one.folder / "journal.jsonl"
    damaged = path.read_bytes().replace(b'"finish":"stop"', b'"finish":"stap"', 1)
    path.write_bytes(damaged)

    with pytest.raises(RunError, match=r"journal\.jsonl, line \d+: read a line that does not"):
        one.go()
    assert path.read_bytes() == damaged
    assert one.server.asked.total() == 8


def test_an_answer_whose_body_was_lost_is_asked_again(run):
    one = run(8)
    one.go()
    last = one.lines("answer")[-1]
    pack = one.folder / "blobs/bodies.pack"
    pack.write_bytes(pack.read_bytes()[: last["body"][0]])

    one.go()
    told = one.told()

    assert told.outcomes == {"correct": 8}
    assert (told.said["lost"], told.twice) == (1, 1)
    assert one.server.asked.total() == 9


def test_a_second_runner_is_refused_and_the_first_goes_on(run):
    one = run(4)

    with (
        RunFolder(one.folder, order=one.order),
        pytest.raises(RunError, match="another process is writing"),
    ):
        RunFolder(one.folder, order=one.order)

    assert one.go().why.value == "done"


@pytest.fixture
def small_files():
    """Lets no file of this process grow beyond so many bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_stops_the_run_whole_and_it_goes_on_later(run, small_files):
    one = run(60)
    small_files(12_000)

    with pytest.raises(RunWriteError, match="dokja measure --resume"):
        one.go()

    small_files(resource.RLIM_INFINITY)
    half = len(one.lines("answer"))
    data = (one.folder / "journal.jsonl").read_bytes()
    assert data.endswith(b"\n")
    assert 0 < half < 60
    one.go()
    told = one.told()
    assert told.outcomes == {"correct": 60}
    assert one.server.asked.total() <= 60 + 64


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_asked(run, monkeypatch):
    one = run(4)
    (one.folder / "lock").mkdir()  # what nobody can open for writing, whoever runs the tests

    with pytest.raises(RunWriteError, match="cannot be written"):
        one.go()
    assert one.server.asked.total() == 0


def test_a_clock_that_steps_back_spoils_nothing(run):
    one = run(10)
    times = iter(range(10**12, 0, -(10**8)))

    one.go(clock=lambda: next(times))
    one.told()

    assert {each["outcome"] for each in one.records} == {"correct"}
    assert all(0 <= each["latency_ms"] < 10_000 for each in one.records)
    with OpenRun(one.folder, order=one.order) as opened:
        assert opened.states.settled == 10


def test_limits_may_change_between_sessions(run, quick):
    one = run(6)
    one.go(quick(concurrency=1))

    one.go(replace(quick(), concurrency=7))

    assert [line["limits"]["concurrency"] for line in one.lines("open")] == [1, 7]
