"""The charts of the page."""

from collections.abc import Sequence

from model.cards.card import Epoch
from model.metrics import Reliability
from producer.report.chart import BOTTOM, Axis, Bar, Chart, Dot, Tick, across, polyline, round_steps, upward
from producer.report.series import Confidences, Throughput

_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_FLOOR = 0.6  # a logarithmic axis of counts begins below 1, so that a single image still has a bar


def throughput_chart(course: Throughput, mean: float) -> Chart:
    """Return the images answered per second over the course of a job, and their `mean`."""
    edges, rates = course.edges.tolist(), course.rates.tolist()
    x, y = across(0, edges[-1]), upward(0, max(*rates, mean) * 1.08)
    return Chart(
        name="throughput",
        title="Throughput over time",
        description=f"{mean:,.0f} images per second on average, between {min(rates):,.0f} and {max(rates):,.0f}.",
        x_label="seconds since the start",
        y_label="images per second",
        x_ticks=[Tick(x(value), f"{value:g}") for value in round_steps(0, edges[-1])],
        y_ticks=[Tick(y(value), f"{value:,.10g}") for value in round_steps(0, y.high)],
        bars=[
            Bar(
                x(start),
                y(rate),
                x(end) - x(start),
                BOTTOM - y(rate),
                "plain",
                f"{start:.2f} s to {end:.2f} s: {rate:,.0f} images/s",
            )
            for start, end, rate in zip(edges, edges[1:], rates, strict=False)
        ],
        lines=[polyline([(x(0), y(mean)), (x(edges[-1]), y(mean))], "mean")],
        legend=[("mean", "mean of the whole job")],
    )


def confidence_chart(counts: Confidences) -> Chart:
    """Return how many images have which confidence; right, wrong and unlabelled ones beside each other."""
    series = {
        kind: values.tolist()
        for kind, values in (("right", counts.right), ("wrong", counts.wrong), ("unlabelled", counts.unlabelled))
        if values.any()
    }
    x, y = across(0, 1), upward(_FLOOR, 1.3 * max(max(values) for values in series.values()), logarithmic=True)
    edges = counts.edges.tolist()
    width = (x(edges[1]) - x(edges[0]) - 2) / len(series)
    bars = [
        Bar(
            round(x(edges[bin_]) + 1 + place * width, 2),
            y(count),
            round(width, 2),
            BOTTOM - y(count),
            "plain" if series.keys() == {"unlabelled"} else kind,
            f"confidence {edges[bin_]:.2f} to {edges[bin_ + 1]:.2f}: {count:,} {kind}",
        )
        for place, (kind, values) in enumerate(series.items())
        for bin_, count in enumerate(values)
        if count
    ]
    totals = ", ".join(f"{sum(values):,} {kind}" for kind, values in series.items())
    return Chart(
        name="confidence",
        title="Images by confidence",
        description=f"Images by confidence, on a logarithmic scale: {totals}.",
        x_label="confidence",
        y_label="images (logarithmic)",
        x_ticks=_shares(x),
        y_ticks=[Tick(y(10**power), f"{10**power:,}") for power in range(12) if 10**power <= y.high],
        bars=bars,
        legend=[(kind, kind) for kind in series if series.keys() != {"unlabelled"}],
    )


def calibration_chart(reliability: Reliability, error: float) -> Chart:
    """Return accuracy against confidence; `error` is the expected calibration error."""
    x, y = across(0, 1), upward(0, 1)
    most = max(int(reliability.images.max()), 1)
    points = [
        (confidence, accuracy, count)
        for confidence, accuracy, count in zip(
            reliability.confidence.tolist(), reliability.accuracy.tolist(), reliability.images.tolist(), strict=True
        )
        if count
    ]
    return Chart(
        name="calibration",
        title="Accuracy by confidence",
        description=f"Accuracy against confidence in {len(points)} groups of images; on average they differ by "
        f"{100 * error:.2f} percentage points. Below the diagonal the model was too certain, above it too cautious.",
        x_label="mean confidence",
        y_label="accuracy",
        x_ticks=_shares(x),
        y_ticks=_shares(y),
        lines=[polyline([(x(0), y(0)), (x(1), y(1))], "mean")],
        dots=[
            Dot(
                x(confidence),
                y(accuracy),
                round(3 + 7 * (count / most) ** 0.5, 2),  # area by count, and the least still visible
                "plain",
                f"{count:,} images: mean confidence {100 * confidence:.1f} %, {100 * accuracy:.1f} % right",
            )
            for confidence, accuracy, count in points
        ],
        legend=[("mean", "confidence equals accuracy"), ("plain", "images, area by number")],
    )


def training_chart(epochs: Sequence[Epoch]) -> Chart:
    """Return the loss by epoch, in training and in validation; `epochs` holds two or more."""
    lowest = min(min(epoch.loss, epoch.validation_loss) for epoch in epochs)
    highest = max(max(epoch.loss, epoch.validation_loss) for epoch in epochs)
    x = across(epochs[0].number, epochs[-1].number)
    y = upward(lowest / 1.2, highest * 1.2, logarithmic=True)
    steps = sorted({round(value) for value in round_steps(x.low, x.high)})
    return Chart(
        name="training",
        title="Training curve",
        description=f"Validation loss fell from {epochs[0].validation_loss:.4f} to {epochs[-1].validation_loss:.4f} in "
        f"{len(epochs)} epochs.",
        x_label="epoch",
        y_label="loss, nats (logarithmic)",
        x_ticks=[Tick(x(value), str(value)) for value in steps],
        y_ticks=[
            Tick(y(factor * 10.0**power), f"{factor * 10.0**power:g}")
            for power in range(-8, 4)
            for factor in (1, 2, 5)
            if y.low <= factor * 10.0**power <= y.high
        ],
        lines=[
            polyline([(x(epoch.number), y(epoch.loss)) for epoch in epochs], "training"),
            polyline([(x(epoch.number), y(epoch.validation_loss)) for epoch in epochs], "validation"),
        ],
        legend=[("training", "training"), ("validation", "validation")],
    )


def _shares(axis: Axis) -> list[Tick]:
    return [Tick(axis(share), f"{100 * share:.0f} %") for share in _SHARES]
