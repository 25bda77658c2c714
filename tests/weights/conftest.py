"""Weights files as an honest team writes them, and as nobody should."""

import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest


def header_of(tensors):
    """Describe float32 tensors of these shapes, one after the other."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 4 * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header, at


def write(path, header, data=b"", *, stated=None):
    """Write a safetensors file byte by byte; `header` is an object or raw bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(raw) if stated is None else stated
    path.write_bytes(length.to_bytes(8, "little") + raw + data)
    return path


def gguf_string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_fact(value):
    """Return a value of GGUF metadata with the type that its Python type suggests."""
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        items = b"".join(map(gguf_string, value))
        return struct.pack("<IIQ", 9, 8, len(value)) + items
    return struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)


def gguf_bytes(facts, tensors, *, version=3, align=32):
    """Return a GGUF file; a tensor is its numpy shape, its type's number and its bytes."""
    body = b"".join(gguf_string(key) + gguf_fact(value) for key, value in facts.items())
    described, data = b"", b""
    for name, (shape, kind, raw) in tensors.items():
        data = data.ljust(-(-len(data) // align) * align, b"\0")
        lengths = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        described += gguf_string(name) + struct.pack("<I", len(shape)) + lengths
        described += struct.pack("<IQ", kind, len(data))
        data += raw
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(facts)) + body + described
    return head.ljust(-(-len(head) // align) * align, b"\0") + data


@pytest.fixture
def gguf_file():
    return gguf_bytes


@pytest.fixture
def write_file():
    return write


@pytest.fixture
def describe():
    return header_of


@pytest.fixture
def folder(tmp_path) -> Path:
    """A sound folder: two tensors, a configuration, a tokenizer."""
    home = tmp_path / "model"
    home.mkdir()
    header, size = header_of({"a": (2, 3), "b": (4,)})
    write(home / "model.safetensors", header, np.arange(size // 4, dtype="<f4").tobytes())
    (home / "config.json").write_text('{"model_type": "llama"}')
    (home / "tokenizer.json").write_text('{"model": {"vocab": {"가": 1, "a": 0}}}')
    return home


@pytest.fixture
def sharded(tmp_path) -> Path:
    """A sound folder of two shards and their index."""
    home = tmp_path / "sharded"
    home.mkdir()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for shard, tensor in zip(names, "ab", strict=True):
        header, size = header_of({tensor: (2, 2)})
        write(home / shard, header, np.ones(size // 4, dtype="<f4").tobytes())
    index = {"metadata": {"total_size": 32}, "weight_map": dict(zip("ab", names, strict=True))}
    (home / "model.safetensors.index.json").write_text(json.dumps(index))
    return home


class Folder(BaseHTTPRequestHandler):
    """Serves bytes by path, in ranges; a trick may answer in its place."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.log.append((self.command, self.path, asked))
        self.server.seen.append(dict(self.headers))
        if self.server.trick is not None and self.server.trick(self):
            return
        data = self.server.files.get(self.path.partition("?")[0])
        if data is None:
            self.answer(404, b"")
        elif asked is None:
            self.answer(200, data)
        else:
            first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
            self.answer_range(data, first, min(last, len(data) - 1))

    do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

    def answer_range(self, data, first, last, **headers):
        if first >= len(data):
            self.answer(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
            return
        said = {"Content-Range": f"bytes {first}-{last}/{len(data)}", "ETag": '"one"'}
        self.answer(206, data[first : last + 1], **(said | headers))

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *words):
        """Say nothing: the tests read the log of requests."""


class Server(ThreadingHTTPServer):
    """A folder at an address of this machine.

    Attributes:
        files: Bytes by path.
        trick: Called with every request; true when it has answered.
        log: Method, path and range of every request.
        seen: The headers of every request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Folder)
        self.files, self.trick, self.log, self.seen = {}, None, [], []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Say nothing: lines are cut on purpose."""


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def other_server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
