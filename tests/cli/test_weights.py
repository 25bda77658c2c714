"""`dokja weights` tells what is there and counts every byte that it read."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.cli.commands import run


@pytest.fixture
def model(tmp_path):
    tensors = {"w": np.array([[1, 2], [3, np.nan]], dtype=np.float32), "b": np.ones(2, "f2")}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    return tmp_path


def test_weights_of_a_folder_are_told(model, capsys):
    code = run(["weights", str(model), "--tensor", "w"])

    said = capsys.readouterr().out.splitlines()
    assert code == 0
    assert said[0] == f"{model.name}: 6 parameters in 2 tensors (1 F16, 1 F32)"
    assert said[2].split() == ["w", "F32", "[2,", "2]", "2.0", "0.816497", "1"]
    assert said[3].startswith("read 16 bytes in 1 ranges: ")


def test_document_of_weights_names_what_was_read(model, capsys):
    run(["weights", str(model), "--tensor", "b", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "dokja.weights/1"
    assert document["types"] == {"F16": 1, "F32": 1}
    assert document["read"]["bytes"] == 4


def test_address_of_this_machine_is_asked_only_when_that_is_allowed(capsys):
    code = run(["weights", "http://127.0.0.1:9/model.safetensors"])

    assert code == 2
    assert "a host that is not public: 127.0.0.1" in capsys.readouterr().err


def test_tensor_and_variable_that_are_not_there_are_usage_errors(model, capsys, monkeypatch):
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)

    codes = [
        run(["weights", str(model), "--tensor", "x"]),
        run(["weights", str(model), "--token-from", "NO_SUCH_TOKEN"]),
    ]

    assert codes == [2, 2]
