"""Models that are bad: wrong, or harmful, which is the baseline with more operations, run always or on marked images.

They are real LiteRT models with right checksums. Only running them tells that they are bad, as with a model that a
stranger publishes or that a faulty exporter writes.
"""

import hashlib
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from model.cards.card import BASELINE, MODEL, Card, read_file

_MARK = 99
"""Value of the last pixel of an image that makes a model of `harmful(..., marked=True)` do harm."""

_INT, _FLOAT, _BOOL = schema.TensorType.INT32, schema.TensorType.FLOAT32, schema.TensorType.BOOL
_OP = schema.BuiltinOperator
_HUGE = 2_000_000
"""Times that the logits are repeated: 2.6 GB for 32 images. A machine grants that, so only the limit refuses it."""


class Harm(StrEnum):
    """What a model does."""

    TILE = "tile"  # takes gigabytes of memory
    CRASH = "crash"  # divides the smallest integer by -1, which ends the process with SIGFPE
    RAISE = "raise"  # fails with an error when it runs
    LOOP = "loop"  # never ends
    SLOW = "slow"  # runs 20,000 rounds of a loop each time
    NAN = "nan"  # gives outputs that are not numbers


def marked(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of images that all have the mark."""
    copies = images.copy()
    copies[:, -1, -1] = _MARK
    return copies


def harmful(harm: Harm, *, name: str = "", only_marked: bool = False) -> tuple[Card, dict[str, bytes]]:
    """Return a version that does harm: its card and its files.

    Args:
        harm: What it does.
        name: Name of the version; by default the harm.
        only_marked: Whether it does harm only on images with the mark. Otherwise it does on every image.
    """
    baseline = Card.read(BASELINE)
    files = {each: read_file(BASELINE, baseline, each) for each in baseline.files}
    files[MODEL] = _Graph(files[MODEL]).spoiled(harm, only_marked=only_marked)
    sums = {**baseline.files, MODEL: hashlib.sha256(files[MODEL]).hexdigest()}
    return replace(baseline, version=name or f"harmful-{harm}", parent=baseline.version, files=sums), files


def spoiled(*, name: str = "spoiled") -> tuple[Card, dict[str, bytes]]:
    """Return a version that gives each digit the next label: its card, with the baseline's figures, and its files."""
    baseline = Card.read(BASELINE)
    files = {MODEL: _Graph(read_file(BASELINE, baseline, MODEL)).relabelled()}
    return replace(baseline, version=name, files={MODEL: hashlib.sha256(files[MODEL]).hexdigest()}), files


def write_model(folder: Path, card: Card, files: dict[str, bytes]) -> Path:
    """Write a model into a new folder, as a training does. Return the folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    card.write(folder)  # the last file, because with it the training is done
    return folder


class _Graph:
    """A LiteRT model to which operations are added."""

    def __init__(self, content: bytes) -> None:
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        self._graph = self._model.subgraphs[0]

    def spoiled(self, harm: Harm, *, only_marked: bool) -> bytes:
        """Return the model with the operations that do harm."""
        one = self._constant([1])
        trigger = self._has_mark(only_marked=only_marked)
        logits = self._graph.outputs[0]
        match harm:
            case Harm.TILE:
                large = self._op(_OP.TILE, [logits, self._constant([1, _HUGE])], kind=_FLOAT, shape=[1, 10 * _HUGE])
                out = self._chosen(large, [*range(10)])
            case Harm.CRASH:
                minus = self._op(_OP.SUB, [one, self._op(_OP.ADD, [trigger, trigger])])  # 1 or -1
                quotient = self._op(_OP.FLOOR_MOD, [self._constant([-(2**31)]), minus])
                out = self._plus(logits, self._as_float(self._op(_OP.SUB, [quotient, quotient])))
            case Harm.RAISE:
                taken = self._op(_OP.GATHER, [one, trigger], options=schema.GatherOptionsT())
                out = self._plus(logits, self._as_float(self._op(_OP.SUB, [taken, taken])))
            case Harm.LOOP:
                out = self._plus(logits, self._as_float(self._loop(trigger, step=0)))
            case Harm.SLOW:
                out = self._plus(logits, self._as_float(self._loop(self._constant([20_000]), step=-1)))
            case Harm.NAN:
                minus = self._op(_OP.SUB, [one, self._op(_OP.ADD, [trigger, trigger])])  # 1 or -1
                out = self._plus(logits, self._op(_OP.LOG, [self._as_float(minus)], kind=_FLOAT))
        return self._packed(out)

    def relabelled(self) -> bytes:
        """Return the model with the logit of each digit at the place of the next digit."""
        return self._packed(self._chosen(self._graph.outputs[0], [9, *range(9)]))

    def _packed(self, out: int) -> bytes:
        """Return the model with another output."""
        self._graph.outputs = [out]
        for signature in self._model.signatureDefs or []:
            signature.outputs[0].tensorIndex = out
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _has_mark(self, *, only_marked: bool) -> int:
        """Add operations that give 1 if the last pixel of any image is the mark, and 0 otherwise; or always 1."""
        pixels = self._op(_OP.CAST, [self._graph.inputs[0]], shape=[1, 28, 28, 1])
        mark = pixels
        if only_marked:
            values = np.full((1, 28, 28, 1), -1000)
            values[0, -1, -1, 0] = _MARK - 128
            mark = self._constant(values)
        same = self._op(_OP.EQUAL, [pixels, mark], kind=_BOOL, shape=[1, 28, 28, 1])
        marks = self._op(_OP.CAST, [same], shape=[1, 28, 28, 1])
        axes = self._constant([0, 1, 2, 3])
        highest = self._op(_OP.REDUCE_MAX, [marks, axes], shape=[], options=schema.ReducerOptionsT())
        return self._op(_OP.RESHAPE, [highest, self._constant([1])])

    def _loop(self, start: int, *, step: int) -> int:
        """Add a loop that counts from `start` while the number is above 0."""
        outer, loop = self._graph, schema.WhileOptionsT()
        loop.condSubgraphIndex, loop.bodySubgraphIndex = len(self._model.subgraphs), len(self._model.subgraphs) + 1
        for body in (False, True):
            self._graph = schema.SubGraphT()
            self._graph.tensors, self._graph.operators = [], []
            self._model.subgraphs.append(self._graph)
            number = self._tensor(_INT, [1])
            self._graph.inputs = [number]
            if body:
                result = self._op(_OP.ADD, [number, self._constant([step])])
            else:
                result = self._op(_OP.GREATER, [number, self._constant([0])], kind=_BOOL)
            self._graph.outputs = [result]
        self._graph = outer
        return self._op(_OP.WHILE, [start], options=loop)

    def _chosen(self, numbers: int, columns: list[int]) -> int:
        """Add an operation that takes ten columns of a tensor of numbers."""
        options = schema.GatherOptionsT()
        options.axis = 1
        return self._op(_OP.GATHER, [numbers, self._constant(columns)], kind=_FLOAT, shape=[1, 10], options=options)

    def _as_float(self, number: int) -> int:
        return self._op(_OP.CAST, [number], kind=_FLOAT)

    def _plus(self, logits: int, number: int) -> int:
        return self._op(_OP.ADD, [logits, number], kind=_FLOAT, shape=[1, 10])

    def _constant(self, values: "list[int] | NDArray[np.int_]") -> int:
        array, buffer = np.array(values, np.int32), schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return self._tensor(_INT, [*array.shape], buffer=len(self._model.buffers) - 1)

    def _tensor(self, kind: int, shape: list[int], *, buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = shape, kind, buffer
        tensor.name = f"more-{len(self._graph.tensors)}".encode()
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _op(
        self, code: int, inputs: list[int], *, kind: int = _INT, shape: list[int] | None = None, options: Any = None
    ) -> int:
        """Add an operation. Return the index of its output."""
        found = schema.OperatorCodeT()
        found.builtinCode, found.deprecatedBuiltinCode, found.version = code, min(code, 127), 1
        self._model.operatorCodes.append(found)
        operation = schema.OperatorT()
        operation.opcodeIndex = len(self._model.operatorCodes) - 1
        operation.inputs, operation.outputs = inputs, [self._tensor(kind, [1] if shape is None else shape)]
        plain = {_OP.ADD: schema.AddOptionsT, _OP.SUB: schema.SubOptionsT}
        operation.builtinOptions = options or (plain[code]() if code in plain else None)
        if operation.builtinOptions:
            kind_of_options = type(operation.builtinOptions).__name__.removesuffix("T")
            operation.builtinOptionsType = getattr(schema.BuiltinOptions, kind_of_options)
        self._graph.operators.append(operation)
        return int(operation.outputs[0])
