"""The charts of a training: loss and accuracy by epoch."""

from collections.abc import Callable, Sequence

from model.cards.card import Card, Epoch
from model.metrics import CLASSES
from producer.report.charts.chart import Axis, Bar, Chart, Line, Tick, round_values

_LEGEND = [("training", "training, on distorted images"), ("validation", "validation")]


def loss_chart(epochs: Sequence[Epoch]) -> Chart | None:
    """Return the chart of the training loss and the validation loss by epoch, on a logarithmic scale.

    Returns:
        None if there are fewer than two epochs, or a loss that such a scale cannot show.
    """
    losses = [loss for epoch in epochs for loss in (epoch.loss, epoch.validation_loss)]
    if len(epochs) < 2 or not all(0 < loss < float("inf") for loss in losses):
        return None
    low, high = min(losses) / 1.2, max(losses) * 1.2
    change = f"from {epochs[0].validation_loss:.4f} to {epochs[-1].validation_loss:.4f} in {len(epochs)} epochs"
    ticks = [factor * 10.0**power for power in range(-8, 4) for factor in (1, 2, 5)]
    return Chart(
        name="training",
        title="Training curve",
        description=f"Validation loss went {change}.",
        headline=f"Training: validation loss {change}",
        x=_epochs(epochs),
        y=Axis(
            "loss, nats (logarithmic)",
            low,
            high,
            [Tick(loss, f"{loss:g}") for loss in ticks if low <= loss <= high],
            logarithmic=True,
        ),
        lines=_lines(epochs, lambda epoch: epoch.loss, lambda epoch: epoch.validation_loss),
        legend=_LEGEND,
    )


def accuracy_chart(epochs: Sequence[Epoch]) -> Chart | None:
    """Return the chart of the accuracy in training and in validation by epoch.

    Returns:
        None if there are fewer than two epochs.
    """
    if len(epochs) < 2:
        return None
    low = min(min(epoch.accuracy, epoch.validation_accuracy) for epoch in epochs)
    low = max(0.0, low - 0.05 * (1.0 - low)) if low < 1 else 0.9
    change = (
        f"from {100 * epochs[0].validation_accuracy:.2f} % to {100 * epochs[-1].validation_accuracy:.2f} % in "
        f"{len(epochs)} epochs"
    )
    return Chart(
        name="accuracy",
        title="Accuracy",
        description=f"Validation accuracy went {change}.",
        headline=f"Training: validation accuracy {change}",
        x=_epochs(epochs),
        y=Axis("accuracy", low, 1.0, [Tick(share, f"{100 * share:.5g} %") for share in round_values(low, 1.0)]),
        lines=_lines(epochs, lambda epoch: epoch.accuracy, lambda epoch: epoch.validation_accuracy),
        legend=_LEGEND,
    )


def digits_chart(card: Card) -> Chart:
    """Return the chart of recall and precision of each digit, on MNIST's test images."""
    shares = [share for score in card.per_class for share in (score.recall, score.precision)]
    low = max(0.0, min(shares) - 0.25 * (1.0 - min(shares)) - 0.001)
    least = min(range(len(card.per_class)), key=lambda digit: card.per_class[digit].recall)
    told = f"recall is lowest for {least}, {100 * card.per_class[least].recall:.2f} %"
    bars = []
    for digit, score in enumerate(card.per_class):
        for begin, kind, share in ((digit - 0.4, "right", score.recall), (digit, "precision", score.precision)):
            bars.append(Bar(begin, begin + 0.4, share, kind, f"{kind} of {digit}: {100 * share:.2f} %"))
    return Chart(
        name="digits",
        title="Recall and precision of each digit",
        description=f"On the test images, {told}.",
        headline=f"{card.version}: {told}",
        x=Axis("digit", -0.5, len(card.per_class) - 0.5, [Tick(digit, str(digit)) for digit in range(CLASSES)]),
        y=Axis("share", low, 1.0, [Tick(share, f"{100 * share:.5g} %") for share in round_values(low, 1.0)]),
        bars=bars,
        legend=[("right", "recall"), ("precision", "precision")],
    )


def _epochs(epochs: Sequence[Epoch]) -> Axis:
    first, last = epochs[0].number, epochs[-1].number
    numbers = sorted({round(value) for value in round_values(first, last)})
    return Axis("epoch", first, last, [Tick(number, str(number)) for number in numbers])


def _lines(
    epochs: Sequence[Epoch], training: Callable[[Epoch], float], validation: Callable[[Epoch], float]
) -> list[Line]:
    return [
        Line([(epoch.number, training(epoch)) for epoch in epochs], "training"),
        Line([(epoch.number, validation(epoch)) for epoch in epochs], "validation"),
    ]
