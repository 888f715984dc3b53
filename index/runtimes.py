"""What can compute embeddings on this machine.

Sentence-transformers on torch is the reference. The other runtimes run the same model, exported once (see
`index.exporting`): they load in a tenth of the time and compute two to five times as fast (docs/performance.md).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime
    import openvino

Vectors = NDArray[np.float32]
TokenIds = NDArray[np.int64]
Runtime = Literal["torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A runtime and the precision of its multiplications; sums, norms and what is stored are not meant."""

    runtime: Runtime
    precision: Precision

    def __str__(self) -> str:
        return f"{self.runtime} {self.precision}"


REFERENCE = Engine("torch", "fp32")

FASTEST_FIRST = (Engine("openvino", "bf16"), Engine("openvino", "fp32"), Engine("onnxruntime", "fp32"), REFERENCE)
"""Every engine there is, as docs/performance.md found them. A fixed order: a measured one would change by the day."""


def computed_otherwise(now: str, made_with: Engine) -> str:
    """Say that an index was embedded by another engine than is taken now, as a clause."""
    return f"embeddings are now computed by {now}, the index has {made_with}"


def missing(engine: Engine) -> str | None:
    """Say what this machine lacks for an engine, as a clause; None where it has all."""
    if engine not in FASTEST_FIRST:
        return f"there is no {engine}; there are {', '.join(map(str, FASTEST_FIRST))}"
    if find_spec(engine.runtime) is None:
        return f"the package {engine.runtime} is not installed"
    if engine.precision == "bf16" and not _has_bf16():
        return "the processor does not multiply in bf16"
    return None


def runtime_version(runtime: Runtime) -> str:
    """Give the version of a runtime's package, empty where it is not installed."""
    try:
        return version(runtime)
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=1)
def processor() -> str:
    """Describe the processor by what decides which code a runtime takes: its model and its instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split("\n\n", 1)[0].splitlines()
    except OSError:  # not Linux
        return os.uname().machine
    kept = ("model name", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.startswith(kept))


def _has_bf16() -> bool:
    # Elsewhere it is emulated, slower than single precision.
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(processor().split())


class Session(Protocol):
    """A loaded model that turns token ids into vectors. Several threads may use it."""

    tokens_at_once: int
    """Tokens of a batch, padding included, at which it is fastest."""

    def run(self, inputs: Mapping[str, TokenIds]) -> Vectors:
        """Compute the vectors of a batch.

        Args:
            inputs: The model's inputs by name, each of shape (n_texts, n_tokens).

        Returns:
            Shape (n_texts, dimension), float32; of about unit length.
        """


def open_session(engine: Engine, model: Path, *, threads: int) -> Session:
    """Load an exported model.

    Args:
        engine: Any but those of torch.
        model: The ONNX file.
        threads: What one batch is computed with.
    """
    if engine.runtime == "openvino":
        return _OpenVinoSession(model, engine.precision, threads)
    return _OnnxSession(model, threads)


def _openvino() -> ModuleType:
    """Import OpenVINO without its model converter, which reports every import to OpenVINO's makers by the network."""
    if "openvino" not in sys.modules:
        sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]  # so the import system marks what is barred
    return import_module("openvino")


class _OpenVinoSession:
    tokens_at_once = 2048

    def __init__(self, model: Path, precision: Precision, threads: int) -> None:
        compiled = (
            _openvino()
            .Core()
            .compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
        )
        self._request: openvino.InferRequest = compiled.create_infer_request()
        # One batch takes all threads anyway.
        self._running = threading.Lock()

    def run(self, inputs: Mapping[str, TokenIds]) -> Vectors:
        with self._running:
            # Copied: the next batch is written to the same place.
            return np.array(self._request.infer(dict(inputs), share_inputs=True)[0], dtype=np.float32)


class _OnnxSession:
    tokens_at_once = 512

    def __init__(self, model: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait give the processor to searches.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._running = threading.Lock()

    def run(self, inputs: Mapping[str, TokenIds]) -> Vectors:
        with self._running:
            return np.asarray(self._session.run(None, dict(inputs))[0], dtype=np.float32)
