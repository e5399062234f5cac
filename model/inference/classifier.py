"""Classify images with an exported model: tens of thousands of images a second on one core, by LiteRT and NumPy."""

import math

import numpy as np
from numpy.typing import NDArray

from model.cards.card import BASELINE, read_model
from model.errors import ModelError, required_extra
from model.inference.calibration import softmax
from model.inference.predictions import Predictions
from model.stderr import without_chatter

try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:
    Interpreter = None  # this module can still be imported; `require_litert` says what to install

CHUNK = 16
"""Images per run of the interpreter. The speed is the same from 16 to 256, and lower below; see EXPERIMENTS.md.

Each process that classifies takes 0.3 MB less than with 32."""

_TO_SIGNED = np.uint8(0x80)  # flipping the top bit maps uint8 0…255 to int8 -128…127 in order


def require_litert() -> None:
    """Check that LiteRT is installed, so that a program can report it before it starts to work.

    Raises:
        UsageError: LiteRT is not installed.
    """
    with required_extra("LiteRT", "worker"):
        import ai_edge_litert.interpreter  # noqa: F401


class Classifier:
    """A loaded and warmed-up model. Loading takes milliseconds. Two threads must not use one classifier at once.

    Args:
        model: Content of a model.tflite from `model.network.export`.
        temperature: Divisor of the logits; the model's card holds it.
        threads: Number of LiteRT's threads. One is best if each core has its own process.

    Raises:
        ModelError: The bytes are not a model, the model's input or output is not like digitmill's, LiteRT cannot run
            it, or its outputs are not probabilities at this temperature.
        UsageError: LiteRT is not installed.
    """

    def __init__(self, model: bytes, *, temperature: float = 1.0, threads: int = 1) -> None:
        require_litert()
        if not 0 < temperature < math.inf:
            raise ModelError(
                f"The card of this model gives {temperature} as its temperature, which must be a number above 0. "
                "Train it again, or use another version."
            )
        self._temperature = temperature
        # Two batch sizes make padding unnecessary. Whole chunks go through the first. The remaining images go one by
        # one through the second, at 80 % of the speed.
        self._runs = [_Run(model, size, threads) for size in (CHUNK, 1)]
        self.classify(np.zeros((CHUNK + 1, 28, 28), np.uint8))

    @classmethod
    def baseline(cls) -> "Classifier":
        """Load the model that ships with the package.

        Raises:
            ModelError: Its files are missing or altered.
            UsageError: LiteRT is not installed.
        """
        card, model = read_model(BASELINE)
        return cls(model, temperature=card.temperature)

    def classify(self, images: NDArray[np.uint8]) -> Predictions:
        """Classify images. Each prediction depends on its own image only.

        Args:
            images: Images, uint8 (n, 28, 28), light ink on black; n may be 0.

        Returns:
            One prediction per image, in the same order.

        Raises:
            ModelError: LiteRT cannot run the model on these images, or its outputs are not probabilities.
            ValueError: Shape or dtype is wrong.
        """
        predictions = Predictions.of(softmax(self.logits(images), self._temperature))
        if not np.isfinite(predictions.confidences).all():  # one output that is not a number makes its whole row so
            raise ModelError("This model does not give probabilities. Train it again, or use another version.")
        return predictions

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's raw outputs, float32 (n, 10), before the temperature is applied.

        Args:
            images: Images, uint8 (n, 28, 28), light ink on black; n may be 0.

        Raises:
            ModelError: LiteRT cannot run the model on these images.
            ValueError: Shape or dtype is wrong.
        """
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
                f"LiteRT cannot load this model ({_reason(error)}). Export it again with this version of digitmill."
            ) from error
        # Functions that return views into LiteRT's own memory, which avoid two copies.
        self._source = self._interpreter.tensor(source["index"])
        self._target = self._interpreter.tensor(target["index"])
        found = (source["dtype"], source["quantization"][1], target["dtype"], tuple(target["shape"]))
        if found != (np.int8, -128, np.float32, (size, 10)):
            raise ModelError(
                f"This model must take int8 (n, 28, 28, 1) with zero point -128 and return float32 (n, 10), but it has "
                f"{found}. Export it with this version of digitmill."
            )

    def __call__(self, images: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
        """Run the network on exactly `size` images, and write its outputs into `logits`.

        Raises:
            ModelError: LiteRT cannot run the network.
        """
        # A view must not outlive its statement, because `invoke` refuses to run while one exists.
        np.bitwise_xor(images[..., np.newaxis], _TO_SIGNED, out=self._source().view(np.uint8))
        try:
            self._interpreter.invoke()
            logits[...] = self._target()
        except (RuntimeError, ValueError) as error:  # ValueError: the shape of its output changed
            raise ModelError(
                f"LiteRT cannot run this model ({_reason(error)}). Export it again with this version of digitmill."
            ) from error


def _reason(error: Exception) -> str:
    return str(error) or "without a reason; it may need too much memory"
