"""Classifying images with an exported model: LiteRT and NumPy alone, one core, tens of thousands a second."""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from model.cards.card import BASELINE, read_model
from model.errors import ModelError
from model.inference.calibration import softmax
from model.stderr import without_chatter

CHUNK = 32
"""Images per run of the interpreter. Speed is flat from 16 to 256 and falls below; measured in EXPERIMENTS.md."""

_TO_SIGNED = np.uint8(0x80)  # flipping the top bit maps uint8 0…255 to int8 -128…127 in order


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a classifier says of n images, in their order.

    Attributes:
        digits: uint8 (n,), the likeliest digit.
        confidences: float32 (n,), its probability, 0 to 1.
        probabilities: float32 (n, 10), of each digit; rows sum to 1.
    """

    digits: NDArray[np.uint8]
    confidences: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.digits)


class Classifier:
    """A loaded, warmed model. Not to be used by two threads at once; loading a second one takes milliseconds.

    Args:
        model: content of a model.tflite that `model.network.export` made.
        temperature: divides the logits; the model's card has it.
        threads: of LiteRT. One is best where every core has its own process.

    Raises:
        ModelError: these bytes are no model, or one with other inputs or outputs than digitmill's.
    """

    def __init__(self, model: bytes, *, temperature: float = 1.0, threads: int = 1) -> None:
        self._temperature = temperature
        # Two sizes, so that nothing is padded: whole chunks go through one, the remainder image by image through the
        # other, at 80 % of the speed.
        self._runs = [_Run(model, size, threads) for size in (CHUNK, 1)]
        self.classify(np.zeros((CHUNK + 1, 28, 28), np.uint8))

    @classmethod
    def baseline(cls) -> "Classifier":
        """The model that ships with the package.

        Raises:
            ModelError: its files are missing or altered.
        """
        card, model = read_model(BASELINE)
        return cls(model, temperature=card.temperature)

    def classify(self, images: NDArray[np.uint8]) -> Predictions:
        """Classify uint8 (n, 28, 28), n ≥ 0, light ink on black.

        The predictions have the same length and order. None depends on the other images of the call.
        """
        probabilities = softmax(self.logits(images), self._temperature)
        return Predictions(probabilities.argmax(axis=1).astype(np.uint8), probabilities.max(axis=1), probabilities)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's raw outputs, float32 (n, 10), for uint8 (n, 28, 28)."""
        if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            raise ValueError(f"images must be uint8 (n, 28, 28), not {images.dtype} {images.shape}")
        logits = np.empty((len(images), 10), np.float32)
        start = 0
        for run in self._runs:
            while len(images) - start >= run.size:
                run(images[start : start + run.size], logits[start : start + run.size])
                start += run.size
        return logits


class _Run:
    """LiteRT's interpreter at one batch size."""

    def __init__(self, model: bytes, size: int, threads: int) -> None:
        self.size = size
        try:
            with without_chatter(b"INFO: Created TensorFlow Lite XNNPACK delegate"):
                self._interpreter = Interpreter(model_content=model, num_threads=threads)
                [source] = self._interpreter.get_input_details()
                self._interpreter.resize_tensor_input(source["index"], (size, 28, 28, 1), strict=True)
                self._interpreter.allocate_tensors()
                [source] = self._interpreter.get_input_details()
                [target] = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"LiteRT cannot load this model ({error}). Export it again with this version of digitmill."
            ) from error
        self._source, self._target = source["index"], target["index"]
        found = (source["dtype"], source["quantization"][1], target["dtype"], tuple(target["shape"]))
        if found != (np.int8, -128, np.float32, (size, 10)):
            raise ModelError(
                f"This model does not take int8 (n, 28, 28, 1) with zero point -128 and give float32 (n, 10), but has "
                f"{found}. Export it with this version of digitmill."
            )

    def __call__(self, images: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
        """Run the network on exactly `size` images, writing its outputs into `logits`."""
        # Views into LiteRT's own memory spare two copies. They must not outlive their statement: `invoke` refuses
        # while one is alive.
        np.bitwise_xor(images[..., np.newaxis], _TO_SIGNED, out=self._interpreter.tensor(self._source)().view(np.uint8))
        self._interpreter.invoke()
        logits[...] = self._interpreter.tensor(self._target)()
