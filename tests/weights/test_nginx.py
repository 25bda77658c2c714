"""A real server: ranges of a checkpoint of 205 GB, of which next to nothing is on the disk."""

import json
import os
import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

from dokja.models.weights import Access, open_source

NGINX = shutil.which("nginx", path=os.defpath + ":/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.loopback,
    pytest.mark.nginx,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)"),
]
LAYERS, HIDDEN, EXPERTS, WIDTH = 48, 4096, 128, 1365
SHARDS = 24
ROWS = 8

# Started by root, the worker would be another user, who may not look into folders of tests.
USER = "user root;" if os.geteuid() == 0 else ""
CONFIGURATION = """
{user}
daemon off;
error_log {home}/error.log;
pid {home}/pid;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3;
  uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  server {{ listen 127.0.0.1:{port}; root {home}/files; gzip on; gzip_types *; }}
}}
"""


def shapes():
    """The tensors of a mixture of experts of 100 billion parameters, layer by layer."""
    for layer in range(LAYERS):
        home = f"model.layers.{layer}"
        yield f"{home}.input_layernorm.weight", (HIDDEN,)
        for name in ("q_proj", "o_proj"):
            yield f"{home}.self_attn.{name}.weight", (HIDDEN, HIDDEN)
        for name in ("k_proj", "v_proj"):
            yield f"{home}.self_attn.{name}.weight", (1024, HIDDEN)
        yield f"{home}.mlp.gate.weight", (EXPERTS, HIDDEN)
        for expert in range(EXPERTS):
            for name in ("gate_proj", "up_proj"):
                yield f"{home}.mlp.experts.{expert}.{name}.weight", (WIDTH, HIDDEN)
            yield f"{home}.mlp.experts.{expert}.down_proj.weight", (HIDDEN, WIDTH)


def written(folder):
    """Write shards whose data are holes in the file system; return their bytes."""
    places, total = {}, 0
    per_shard = LAYERS // SHARDS
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        header, at = {}, 0
        layers = {f"model.layers.{n}" for n in range(shard * per_shard, (shard + 1) * per_shard)}
        for tensor, shape in shapes():
            if ".".join(tensor.split(".")[:3]) in layers:
                size = 2 * int(np.prod(shape))
                header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
                places[tensor], at = name, at + size
        raw = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(len(raw).to_bytes(8, "little") + raw)
            file.truncate(8 + len(raw) + at)
        total += at
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "glm4_moe"}')
    return total


@pytest.fixture
def served(tmp_path):
    """Nginx on a port of this machine, serving an empty folder."""
    home = tmp_path / "nginx"
    (home / "files").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (home / "conf").write_text(CONFIGURATION.format(home=home, port=port, user=USER))
    command = [NGINX, "-e", str(home / "error.log"), "-c", str(home / "conf")]
    process = subprocess.Popen(command)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield home / "files", f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_screen_of_a_checkpoint_of_205_gb_reads_under_30_mb_and_counts_them(served):
    folder, address = served
    total = written(folder)
    access = Access(allow_private=True, budget_bytes=60_000_000)

    source = open_source(f"{address}/", access=access)
    opening = source.account.bytes
    for layer in range(LAYERS):
        home = f"model.layers.{layer}"
        source.read(f"{home}.input_layernorm.weight")
        source.gather(f"{home}.mlp.gate.weight", range(16))
        for name in ("q_proj", "k_proj", "v_proj"):
            source.gather(f"{home}.self_attn.{name}.weight", range(100, 100 + ROWS))
        for name in ("gate_proj", "up_proj"):
            source.gather(f"{home}.mlp.experts.0.{name}.weight", range(100, 100 + ROWS))

    exact = LAYERS * 2 * HIDDEN * (1 + 16 + 3 * ROWS + 2 * ROWS)
    assert total > 205_000_000_000
    assert source.bytes_read == exact
    assert source.account.bytes - opening == exact
    assert source.account.bytes < 30_000_000


def test_values_from_a_real_server_are_those_of_the_file(served):
    folder, address = served
    values = np.random.default_rng(0).standard_normal((400, 300)).astype("<f4")
    header = {"w": {"dtype": "F32", "shape": [400, 300], "data_offsets": [0, values.nbytes]}}
    raw = json.dumps(header).encode()
    path = folder / "one.safetensors"
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + values.tobytes())

    source = open_source(f"{address}/one.safetensors", access=Access(allow_private=True))

    assert np.array_equal(source.read("w"), values)
