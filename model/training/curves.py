"""Draw the training curves.

`model.training.train` imports this module before it trains, so it reports a missing Matplotlib at once.
"""

from collections.abc import Sequence
from io import BytesIO

from model.cards.card import Epoch
from model.errors import required_extra

with required_extra("Matplotlib", "train"):
    from matplotlib.figure import Figure


def draw(epochs: Sequence[Epoch]) -> bytes:
    """Draw loss and accuracy by epoch, in training and validation. Return the content of a PNG file."""
    numbers = [epoch.number for epoch in epochs]
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(numbers, [epoch.loss for epoch in epochs], "o-", markersize=3, label="training (augmented, dropout)")
    left.plot(numbers, [epoch.validation_loss for epoch in epochs], "o-", markersize=3, label="validation")
    left.set(title="Loss", xlabel="epoch", ylabel="cross-entropy, nats (log scale)", yscale="log")
    right.plot(numbers, [100 * epoch.accuracy for epoch in epochs], "o-", markersize=3, label="training")
    right.plot(numbers, [100 * epoch.validation_accuracy for epoch in epochs], "o-", markersize=3, label="validation")
    lowest = 100 * min(min(epoch.accuracy, epoch.validation_accuracy) for epoch in epochs[1:] or epochs)
    right.set(title="Accuracy", xlabel="epoch", ylabel="%", ylim=(max(0.0, lowest - 1), 100.1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()
