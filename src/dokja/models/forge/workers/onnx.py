"""Exports a network to ONNX, and runs what came out on the probe: `…workers.onnx job.json`.

Torch's exporter (dynamo) traces the network with a free number of sequences and positions;
onnxruntime quantises, and computes the logits by which the core judges the file. Nothing is
fetched. What is not installed is said in `missing.json`, which the core turns into a sentence.
"""

import importlib
import json
import logging
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source

__all__ = ["main"]

_NEEDED = (
    ("torch", "forge"),
    ("transformers", "forge"),
    ("onnx", "export"),
    ("onnxscript", "export"),
    ("onnxruntime", "export"),
)
_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "onnxruntime")
_TRACED = (2, 24)  # sequences and positions; both stay free
_MISSING = 2


def main(job: Path) -> int:
    """Do what a job says; return the exit code."""
    folder = job.resolve().parent
    for module, extra in _NEEDED:
        try:
            importlib.import_module(module)
        except ImportError:
            said = {"module": module, "extra": extra}
            (folder / "missing.json").write_text(json.dumps(said), encoding="utf-8")
            return _MISSING
    terms = json.loads(job.read_text(encoding="utf-8"))
    start = time.perf_counter()
    plain = folder / "float32.onnx"
    _export(terms, plain)
    made = folder / "model.onnx"
    if terms["method"] == "int8":
        _quantise(plain, made)
    else:
        plain.rename(made)
    _mark(made, terms)
    exported = time.perf_counter()
    _infer(made, folder, batches=terms["batches"])
    done: dict[str, Any] = {
        "opset": terms["opset"],
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "seconds": {
            "export": round(exported - start, 3),
            "probe": round(time.perf_counter() - exported, 3),
        },
    }
    (folder / "made.json").write_text(json.dumps(done), encoding="utf-8")
    return 0


def _export(terms: dict[str, Any], path: Path) -> None:
    import torch  # noqa: PLC0415  # only once it is known to be there

    from dokja.models.forge.workers.networks import Parts, build, load  # noqa: PLC0415  # likewise
    from dokja.models.forge.workers.settings import offline  # noqa: PLC0415  # likewise

    offline()
    structure = Structure.from_json(terms["structure"])
    # Our own block asks whether its window is shorter than the text, which a trace would freeze;
    # its plain attention always masks.
    attention = "eager" if structure.family == "peri" else "sdpa"
    network = build(structure, attention=attention).eval()
    load(Parts(network, structure), open_source(Path(terms["weights"])))

    class Plain(torch.nn.Module):
        """Ids in, logits out."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network(input_ids=input_ids, use_cache=False).logits
            return logits

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    length = min(_TRACED[1], structure.positions)
    ids = torch.arange(_TRACED[0] * length).reshape(_TRACED[0], length) % structure.vocabulary
    free = torch.export.Dim.DYNAMIC
    with torch.no_grad():
        program = torch.onnx.export(
            Plain().eval(),
            (ids,),
            dynamo=True,
            opset_version=terms["opset"],
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {0: free, 1: free}},
            external_data=False,
            verbose=False,
        )
    program.save(str(path))


def _quantise(plain: Path, made: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  # as above

    quantize_dynamic(plain, made, weight_type=QuantType.QInt8)
    plain.unlink()


def _mark(path: Path, terms: dict[str, Any]) -> None:
    """Write into the file whose it is, and look through it once.

    The exporter writes stack traces to every node, with the paths of whoever exported; they go.
    """
    import onnx  # noqa: PLC0415  # as above

    model = onnx.load(path)
    for graph in (model.graph, *model.functions):
        _forget(graph)
    onnx.helper.set_model_props(
        model, {"dokja.parent_root": terms["root"], "dokja.method": terms["method"]}
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _forget(part: Any) -> None:
    """Clear remarks in a graph or function, its nodes, and the graphs inside of them."""
    held = [part, *part.node, *part.value_info]
    for field in ("input", "output", "initializer"):
        held += [one for one in getattr(part, field, ()) if not isinstance(one, str)]
    for one in held:
        one.ClearField("metadata_props")
        one.ClearField("doc_string")
    for node in part.node:
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else ():
                _forget(graph)


def _infer(path: Path, folder: Path, *, batches: int) -> None:
    import onnxruntime  # noqa: PLC0415  # as above

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for number in range(batches):
        inputs = np.load(folder / f"inputs-{number:05d}.npy", allow_pickle=False)
        (logits,) = session.run(["logits"], {"input_ids": inputs})
        np.save(folder / f"logits-{number:05d}.npy", logits, allow_pickle=False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
