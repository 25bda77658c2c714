"""Weights at an address are those of the folder, and no server can make them others."""

import hashlib
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import save

from dokja.cli.commands import run
from dokja.errors import RemoteError, WeightsError
from dokja.models.weights import Access, open_source

pytestmark = pytest.mark.loopback
HEAD = 100_001
SECRET = "hf_open_sesame"  # noqa: S105  # a made-up one, so that there is something to leak


@pytest.fixture
def values():
    return np.arange(3 * 50_000, dtype=np.float32).reshape(300, 500)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def access(waits):
    return Access(allow_private=True, timeout_s=0.4, wait=waits.append)


@pytest.fixture
def far(server, values):
    """A folder of one file, a configuration and a tokenizer, at an address."""
    server.files |= {
        "/m/model.safetensors": save({"w": values}),
        "/m/config.json": b'{"model_type": "llama"}',
        "/m/tokenizer.json": b'{"model": {"vocab": {"a": 0}}}',
    }
    return f"{server.address}/m/"


def later(trick):
    """Apply a trick to ranges after the first only."""

    def applied(request):
        asked = request.headers.get("Range") or "bytes=0-"
        return not asked.startswith("bytes=0-") and trick(request)

    return applied


def weights_of(request):
    return request.server.files["/m/model.safetensors"]


def asked_for(request):
    return tuple(int(part) for part in request.headers["Range"].removeprefix("bytes=").split("-"))


def test_folder_far_away_is_read_like_one_here(far, server, values, access):
    source = open_source(far, access=access)

    whole, rows = source.read("w"), source.read_rows("w", 250, 252)

    assert np.array_equal(whole, values)
    assert np.array_equal(rows, values[250:252])
    assert (source.name, source.names) == ("m", ("w",))
    assert source.config == {"model_type": "llama"}
    assert source.tokenizer_vocabulary() == ("a",)
    assert source.bytes_read == values.nbytes + 2 * 2000
    assert server.log[2] == ("GET", "/m/model.safetensors", "bytes=0-100000")


def test_neighbouring_rows_are_one_request_and_every_byte_is_accounted_for(
    far, server, values, access
):
    source = open_source(far, access=access)
    before, spent = len(server.log), source.account.bytes

    rows = source.gather("w", [200, 201, 202, 210])

    start = 8 + struct.unpack("<Q", server.files["/m/model.safetensors"][:8])[0]
    wanted = [
        f"bytes={start + a * 2000}-{start + b * 2000 - 1}" for a, b in ((200, 203), (210, 211))
    ]
    assert np.array_equal(rows, values[[200, 201, 202, 210]])
    assert [asked for _, _, asked in server.log[before:]] == wanted
    assert source.account.bytes - spent == source.bytes_read == 4 * 2000
    last = source.account.ranges()[-1]
    assert last.sha256 == hashlib.sha256(values[210].tobytes()).hexdigest()


def test_account_names_what_was_read_and_not_the_order(far, access):
    one, other = open_source(far, access=access), open_source(far, access=access)
    for start in (200, 250):
        one.read_rows("w", start, start + 1)
    for start in (250, 200, 200):
        other.read_rows("w", start, start + 1)
    same = one.account.digest() == other.account.digest()
    other.read_rows("w", 201, 202)

    assert same
    assert one.account.digest() != other.account.digest()


def test_digest_of_weights_far_away_fetches_nothing(far, server, access, tmp_path, values):
    source = open_source(far, access=access)
    before = len(server.log)

    digest = source.digest
    server.files["/m/model.safetensors"] = save({"w": values + 1})

    assert len(server.log) == before
    assert digest == open_source(far, access=access).digest  # it names the header, and no value


def test_header_beyond_the_first_request_is_fetched_with_a_second(server, access):
    tensors = {f"layer.{n:05}.weight": np.full(2, n, dtype=np.float32) for n in range(2000)}
    server.files["/big.safetensors"] = save(tensors)

    source = open_source(f"{server.address}/big.safetensors", access=access)

    length = struct.unpack("<Q", server.files["/big.safetensors"][:8])[0]
    assert length > HEAD
    assert [asked for _, path, asked in server.log if path == "/big.safetensors"] == [
        "bytes=0-100000",
        f"bytes=100001-{length + 7}",
    ]
    assert source.read("layer.01999.weight").tolist() == [1999, 1999]


def test_shards_are_found_by_their_index(server, access):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name, tensor in zip(names, "ab", strict=True):
        server.files[f"/m/{name}"] = save({tensor: np.ones((2, 2), dtype=np.float32)})
    index = {"metadata": {"total_size": 32}, "weight_map": dict(zip("ab", names, strict=True))}
    server.files["/m/model.safetensors.index.json"] = json.dumps(index).encode()

    source = open_source(f"{server.address}/m", access=access)
    index["weight_map"]["c"] = names[0]
    server.files["/m/model.safetensors.index.json"] = json.dumps(index).encode()
    with pytest.raises(WeightsError, match="a shard that holds this tensor"):
        open_source(f"{server.address}/m", access=access)

    assert source.names == ("a", "b")
    assert source.config is None
    assert source.token_rows() is None


def test_gguf_far_away_is_read_by_blocks(server, access, gguf_file):
    rows = np.arange(64, dtype="<f4").reshape(2, 32)
    facts = {"general.architecture": "llama", "tokenizer.ggml.tokens": ["a" * 50] * 3000}
    server.files["/m.gguf"] = gguf_file(facts, {"output.weight": ((2, 32), 0, rows.tobytes())})

    source = open_source(f"{server.address}/m.gguf", access=access)

    assert len(server.files["/m.gguf"]) > HEAD
    assert np.array_equal(source.read("lm_head.weight"), rows)


def test_hub_is_read_at_the_commit_that_it_answered_from(server, access, waits, values):
    commit = "c" * 40
    for revision in ("main", commit):
        server.files[f"/o/n/resolve/{revision}/config.json"] = b"{}"
    server.files[f"/o/n/resolve/{commit}/model.safetensors"] = save({"w": values})

    def trick(request):
        data = request.server.files.get(request.path)
        if request.headers.get("Range") or data is None:
            return False
        request.answer(200, data, **{"X-Repo-Commit": commit})
        return True

    server.trick = trick
    hub = Access(allow_private=True, hub=server.address, wait=waits.append)

    source = open_source("hf://o/n", access=hub)

    assert source.name == f"o/n@{commit}"
    assert np.array_equal(source.read_rows("w", 299, 300), values[299:])


def test_line_that_is_cut_goes_on_where_it_was_cut(far, server, values, access, waits):
    source = open_source(far, access=access)
    cuts = [1000, 777, 1]

    def trick(request):
        if not cuts:
            return False
        first, last = asked_for(request)
        data = weights_of(request)
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        request.send_header("Content-Length", str(last - first + 1))
        request.send_header("ETag", '"one"')
        request.end_headers()
        request.wfile.write(data[first : first + cuts.pop()])
        request.close_connection = True
        return True

    server.trick = later(trick)
    before, spent = len(server.log), source.account.bytes

    rows = source.read_rows("w", 200, 204)

    starts = [int(asked[6:].split("-")[0]) for _, _, asked in server.log[before:]]
    assert np.array_equal(rows, values[200:204])
    assert np.diff(starts).tolist() == [1, 777, 1000]
    assert source.account.bytes - spent == rows.nbytes
    assert len(waits) == 3


def status(code, **headers):
    def trick(request):
        request.answer(code, b"", **headers)
        return True

    return trick


def ranged(text=None, **headers):
    """Answer another range than the one that was asked for, or with other headers."""

    def trick(request):
        data = weights_of(request)
        first, last = asked_for(request)
        figures = {"first": first, "next": first + 1, "last": last, "total": len(data)}
        said = {"Content-Range": text.format(**figures, more=len(data) + 1)} if text else {}
        request.answer_range(data, first, last, **(said | headers))
        return True

    return trick


def whole_file(request):
    request.send_response(200)
    request.send_header("Content-Length", str(10**15))
    request.end_headers()
    return True


def stalls(request):
    first, last = asked_for(request)
    request.send_response(206)
    request.send_header("Content-Range", f"bytes {first}-{last}/{len(weights_of(request))}")
    request.send_header("Content-Length", str(last - first + 1))
    request.send_header("ETag", '"one"')
    request.end_headers()
    time.sleep(0.8)
    request.close_connection = True
    return True


def drips_headers(request):
    try:
        for _ in range(60):
            request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)
    except OSError:
        pass
    request.close_connection = True
    return True


def drips_body(request):
    first, last = asked_for(request)
    data = weights_of(request)
    request.send_response(206)
    request.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
    request.send_header("Content-Length", str(last - first + 1))
    request.send_header("ETag", '"one"')
    request.end_headers()
    try:
        for at in range(first, first + 40):
            request.wfile.write(data[at : at + 1])
            time.sleep(0.03)
    except OSError:
        pass
    request.close_connection = True
    return True


def talks_nonsense(request):
    request.wfile.write(b"\x16\x03nonsense\r\n\r\n" * 9)
    request.close_connection = True
    return True


@pytest.mark.parametrize(
    ("trick", "read"),
    [
        (whole_file, "the whole file in answer to a range"),
        (status(404), "the status 404"),
        (status(416), "a shorter file than before"),
        (status(204), "the status 204"),
        (ranged("bytes {next}-{last}/{total}"), "the range 'bytes "),
        (ranged("bytes {first}-{last}/*"), "the range 'bytes "),
        (ranged("bytes {first}-{next}/{total}"), "the range 'bytes "),
        (ranged("multipart"), "the range 'multipart'"),
        (ranged("bytes {first}-{last}/{more}"), "another file than at first"),
        (ranged(**{"Content-Length": "7"}), "a length of '7'"),
        (ranged(**{"Content-Encoding": "gzip"}), "an answer in the encoding 'gzip'"),
        (ranged(**{"Transfer-Encoding": "chunked"}), "an answer in the encoding 'chunked'"),
        (ranged(ETag='"two"'), "another file than at first"),
    ],
    ids=[
        *("200", "404", "416", "204", "shifted", "no total", "short", "multipart", "other total"),
        *("length", "gzip", "chunked", "etag"),
    ],
)
def test_answer_that_is_not_what_was_asked_is_refused_at_once(far, server, access, trick, read):
    source = open_source(far, access=access)
    server.trick = later(trick)
    before = len(server.log)

    with pytest.raises(RemoteError) as caught:
        source.read_rows("w", 200, 201)

    assert caught.value.mistakes[0].read.startswith(read)
    assert len(server.log) == before + 1


@pytest.mark.parametrize("trick", [stalls, drips_headers, drips_body, talks_nonsense, status(503)])
def test_server_that_never_gets_on_is_given_up_after_some_tries(far, server, waits, trick):
    access = Access(
        allow_private=True, timeout_s=0.1, least_bytes_per_s=50_000, tries=2, wait=waits.append
    )
    source = open_source(far, access=access)
    server.trick = later(trick)
    before, began = len(server.log), time.monotonic()

    with pytest.raises(RemoteError):
        source.read_rows("w", 200, 201)

    assert len(server.log) == before + 2
    assert len(waits) == 1
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("code", [429, 503])
def test_server_that_asks_to_come_back_is_asked_again_after_its_pause(
    far, server, values, access, waits, code
):
    source = open_source(far, access=access)
    answers = [status(code, **{"Retry-After": "7"}), status(code, **{"Retry-After": "999999"})]
    server.trick = later(lambda request: bool(answers) and answers.pop(0)(request))

    rows = source.read_rows("w", 200, 201)

    assert np.array_equal(rows, values[200:201])
    assert waits == [7.0, access.longest_wait_s]


def test_budget_is_kept_before_anything_is_sent(far, server, waits):
    access = Access(allow_private=True, budget_bytes=HEAD + 3000, wait=waits.append)
    source = open_source(far, access=access)
    source.read_rows("w", 200, 201)
    before = len(server.log)

    with pytest.raises(RemoteError, match="at most the budget of"):
        source.read_rows("w", 210, 211)

    assert len(server.log) == before
    assert source.account.bytes <= access.budget_bytes


def test_redirects_are_followed_and_a_token_stays_at_home(far, server, other_server, values, waits):
    other_server.files["/signed"] = server.files.pop("/m/model.safetensors")

    def trick(request):
        if request.path != "/m/model.safetensors":
            return False
        request.answer(302, b"", Location=f"{other_server.address}/signed?key=1")
        return True

    server.trick = trick
    access = Access(allow_private=True, token=SECRET, wait=waits.append)
    source = open_source(far, access=access)
    ran_out = [status(403)]
    other_server.trick = later(lambda request: bool(ran_out) and ran_out.pop()(request))

    rows = source.read_rows("w", 200, 201)

    assert np.array_equal(rows, values[200:201])
    assert {headers.get("Authorization") for headers in server.seen} == {f"Bearer {SECRET}"}
    assert {headers.get("Authorization") for headers in other_server.seen} == {None}
    assert {headers["Accept-Encoding"] for headers in server.seen} == {"identity"}
    assert SECRET not in repr(access)
    assert [m for m, path, _ in server.log if path == "/m/model.safetensors"] == ["GET", "GET"]


def test_redirects_that_go_round_end(far, server, access):
    server.trick = lambda request: status(302, Location=request.path)(request)

    with pytest.raises(RemoteError, match="more than 5 redirects"):
        open_source(far, access=access)

    assert len(server.log) == 6


@pytest.mark.parametrize(
    ("location", "read"),
    [
        ("file:///etc/passwd", "the scheme 'file'"),
        ("http://user:word@127.0.0.1/", "a name or password in the address"),
        ("http://[::1", "a redirect to 'http://[::1'"),
    ],
)
def test_redirect_to_no_address_is_refused(far, server, access, location, read):
    server.trick = status(307, Location=location)

    with pytest.raises(RemoteError) as caught:
        open_source(far, access=access)

    assert caught.value.mistakes[0].read == read


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ("http://127.0.0.1:1/m/", "a host that is not public: 127.0.0.1"),
        ("https://10.0.0.1/m/", "a host that is not public: 10.0.0.1"),
        ("https://169.254.169.254/m/", "a host that is not public: 169.254.169.254"),
        ("https://[::1]/m/", "a host that is not public: ::1"),
        ("https://[::ffff:10.0.0.1]/m/", "a host that is not public: ::ffff:10.0.0.1"),
        ("https://[64:ff9b::a00:1]/m/", "a host that is not public: 64:ff9b::a00:1"),
        ("https://0x7f000001/m/", "a host that is not public: 127.0.0.1"),
        ("http://8.8.8.8/m/", "an address without encryption"),
        ("ftp://8.8.8.8/m/", "the scheme 'ftp'"),
        ("https://a b/m/", "an address with blanks or of over 8 kB"),
        ("hf://only-a-name", "'hf://only-a-name'"),
        ("hf://../..", "'hf://../..'"),
        ("https://8.8.8.8/pytorch_model.bin", "a .bin file, which may hold a pickle"),
    ],
)
def test_address_that_may_not_be_asked_is_refused_before_it_is(address, read, monkeypatch):
    def refuse(*_):
        message = "a connection was made"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)

    with pytest.raises(WeightsError) as caught:
        open_source(address)

    assert caught.value.mistakes[0].read.startswith(read)


def test_public_host_may_not_lead_to_a_private_one(monkeypatch):
    """A name is looked up once, and what it leads to is what is judged."""
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("192.168.0.9", 443))]
    )

    with pytest.raises(RemoteError, match="a host that is not public"):
        open_source("https://models.example/m/")


def configured(length, body, *, then_close=True):
    """Answer for the configuration with this length and body, and then as usual."""

    def trick(request):
        if request.path != "/m/config.json":
            return False
        request.server.trick = None
        request.send_response(200)
        for name, value in length.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = then_close
        return True

    return trick


@pytest.mark.parametrize(
    ("length", "read"),
    [
        ({"Content-Length": "10000001"}, "a length of '10000001'"),
        ({}, "a length of ''"),
        ({"Content-Length": "2", "Content-Encoding": "br"}, "an answer in the encoding 'br'"),
    ],
)
def test_small_file_that_is_large_or_of_no_length_is_not_fetched(far, server, access, length, read):
    server.trick = configured(length, b"{}")

    with pytest.raises(RemoteError) as caught:
        open_source(far, access=access)

    assert caught.value.mistakes[0].read == read


def test_several_threads_read_at_once_and_count_together(far, values, access):
    source = open_source(far, access=access)
    spent = source.account.bytes

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda row: source.read_rows("w", row, row + 1), range(100, 160)))

    assert np.array_equal(np.concatenate(read), values[100:160])
    assert source.bytes_read == source.account.bytes - spent == 60 * 2000


def test_small_file_that_is_cut_is_asked_for_again(far, server, access, waits):
    server.trick = configured({"Content-Length": "9"}, b"{")

    source = open_source(far, access=access)

    assert source.config == {"model_type": "llama"}
    assert len(waits) == 1


def test_file_that_was_read_to_its_end_leaves_the_line_open(far, server, access):
    """Every request of a reading but the first goes over a line that was there."""
    ports = []
    server.trick = lambda request: bool(ports.append(request.client_address[1]))
    source = open_source(far, access=access)
    for row in range(200, 210):
        source.read_rows("w", row, row + 1)

    assert len(ports) > 10
    assert len(set(ports)) <= 2


def test_empty_and_damaged_files_end_in_one_clear_error(server, access):
    server.files |= {
        "/e.safetensors": b"",
        "/s.safetensors": b"\xff" * 60,
        "/p.safetensors": b"\x80\x04" + b"x" * 60,
        "/e.gguf": b"",
    }

    said = []
    for name in ("e.safetensors", "s.safetensors", "p.safetensors", "e.gguf"):
        with pytest.raises(WeightsError) as caught:
            open_source(f"{server.address}/{name}", access=access)
        said.append(caught.value.mistakes[0].read)

    assert [text[:20] for text in said] == [
        "0 bytes",
        "18446744073709551615",
        "a pickle (protocol 4",
        "a header that goes o",
    ]


def test_command_tells_what_is_at_an_address_and_counts_it(far, server, capsys):
    code = run(["weights", far, "--allow-private", "--tensor", "w", "--budget-bytes", "900000"])

    said = capsys.readouterr().out
    assert code == 0
    assert "m: 150,000 parameters in 1 tensors (1 F32)" in said
    whole = len(server.files["/m/model.safetensors"]) + len(server.files["/m/config.json"])
    assert f"read {whole:,} bytes in" in said
