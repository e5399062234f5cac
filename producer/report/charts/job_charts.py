"""The charts of one job. Each is computed once, for both the page and the PNG files."""

from dataclasses import dataclass

from model import metrics
from model.cards.card import Card
from model.metrics import Reliability
from producer.jobs.results import JobInfo, Results
from producer.report.charts.chart import Axis, Bar, Chart, Dot, Line, Target, Tick, round_values
from producer.report.charts.series import Confidences, Throughput, confidences, throughput
from producer.report.charts.training_charts import loss_chart
from producer.report.summary import Summary

_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_FLOOR = 0.6  # a logarithmic axis of counts begins below 1, so that a single image still has a bar
_GAP = 0.05  # share of the width of a bin that stays free on either side of its bars


@dataclass(frozen=True, slots=True)
class JobCharts:
    """The charts of one job. A chart is None where there is nothing to draw.

    Attributes:
        confidence: Number of images by confidence.
        calibration: Accuracy against confidence.
        throughput: Images answered per second, over time.
        training: Loss of the model by epoch.
    """

    confidence: Chart | None
    calibration: Chart | None
    throughput: Chart | None
    training: Chart | None


def charts_of(results: Results, info: JobInfo, summary: Summary, card: Card | None) -> JobCharts:
    """Return the charts of one job.

    Args:
        results: All images of the job.
        info: Times and workers of the job.
        summary: Figures of the job.
        card: Card of the model, or None where it is unknown.
    """
    course = throughput(info.timeline, info.seconds)
    return JobCharts(
        confidence=confidence_chart(confidences(results)) if summary.classified else None,
        calibration=None
        if summary.ece is None
        else calibration_chart(metrics.reliability(*results.aligned), summary.ece),
        throughput=throughput_chart(course, summary) if course and summary.images_per_second else None,
        training=loss_chart(card.epochs) if card else None,
    )


def throughput_chart(course: Throughput, summary: Summary) -> Chart:
    """Return the chart of the images answered per second during a job, with their mean."""
    edges, rates = course.edges.tolist(), course.rates.tolist()
    mean = summary.images_per_second or 0.0
    high = max(*rates, mean) * 1.08
    return Chart(
        name="throughput",
        title="Throughput over time",
        description=f"{mean:,.0f} images per second on average, between {min(rates):,.0f} and {max(rates):,.0f}.",
        headline=f"Throughput: {summary.images:,} images in {summary.seconds:.2f} s",
        x=Axis(
            "seconds since the start",
            0.0,
            edges[-1],
            [Tick(value, f"{value:g}") for value in round_values(0, edges[-1])],
        ),
        y=Axis("images per second", 0.0, high, [Tick(value, f"{value:,.10g}") for value in round_values(0, high)]),
        bars=[
            Bar(start, end, rate, "plain", f"{start:.2f} s to {end:.2f} s: {rate:,.0f} images/s")
            for start, end, rate in zip(edges, edges[1:], rates, strict=False)
        ],
        lines=[Line([(0.0, mean), (edges[-1], mean)], "mean")],
        legend=[("mean", f"mean of the whole job: {mean:,.0f}")],
    )


def confidence_chart(counts: Confidences) -> Chart:
    """Return the chart of the number of images by confidence: right, wrong and unlabelled ones side by side.

    Args:
        counts: Counts of at least one image.
    """
    series = {
        kind: values.tolist()
        for kind, values in (("right", counts.right), ("wrong", counts.wrong), ("unlabelled", counts.unlabelled))
        if values.any()
    }
    high = 1.3 * max(max(values) for values in series.values())
    edges = counts.edges.tolist()
    bin_width = edges[1] - edges[0]
    width = bin_width * (1 - 2 * _GAP) / len(series)
    only_unlabelled = series.keys() == {"unlabelled"}
    bars = [
        Bar(
            edges[bin_] + bin_width * _GAP + place * width,
            edges[bin_] + bin_width * _GAP + (place + 1) * width,
            count,
            "plain" if only_unlabelled else kind,
            f"confidence {edges[bin_]:.2f} to {edges[bin_ + 1]:.2f}: {count:,} {kind}",
        )
        for place, (kind, values) in enumerate(series.items())
        for bin_, count in enumerate(values)
        if count
    ]
    filled = [(bin_, sum(counts)) for bin_, counts in enumerate(zip(*series.values(), strict=True)) if any(counts)]
    targets = [
        Target(
            edges[bin_],
            edges[bin_ + 1],
            f"from={edges[bin_]:.2f}&to={edges[bin_ + 1]:.2f}",
            count,
            f"confidence {edges[bin_]:.2f} to {edges[bin_ + 1]:.2f}: {count:,} "
            f"({', '.join(f'{values[bin_]:,} {kind}' for kind, values in series.items())})",
        )
        for bin_, count in filled
    ]
    totals = ", ".join(f"{sum(values):,} {kind}" for kind, values in series.items())
    return Chart(
        name="confidence",
        title="Images by confidence",
        description=f"Images by confidence, on a logarithmic scale: {totals}.",
        headline=f"Images by confidence: {totals}",
        x=Axis("confidence", 0.0, 1.0, _shares()),
        y=Axis(
            "images (logarithmic)",
            _FLOOR,
            high,
            [Tick(10.0**power, f"{10**power:,}") for power in range(12) if 10**power <= high],
            logarithmic=True,
        ),
        bars=bars,
        targets=targets,
        legend=[] if only_unlabelled else [(kind, kind) for kind in series],
    )


def calibration_chart(reliability: Reliability, error: float) -> Chart:
    """Return the chart of accuracy against confidence.

    Args:
        reliability: Images, accuracy and mean confidence of each bin.
        error: Expected calibration error, 0 to 1.
    """
    max_images = max(int(reliability.images.max()), 1)
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
        description=f"Accuracy against confidence in {len(points)} groups of images. On average they differ by "
        f"{100 * error:.2f} percentage points. Below the diagonal the model was too certain, above it too cautious.",
        headline=f"Calibration: expected calibration error {error:.4f}",
        x=Axis("mean confidence", 0.0, 1.0, _shares()),
        y=Axis("accuracy", 0.0, 1.0, _shares()),
        lines=[Line([(0.0, 0.0), (1.0, 1.0)], "mean")],
        dots=[
            Dot(
                confidence,
                accuracy,
                count / max_images,
                "plain",
                f"{count:,} images: mean confidence {100 * confidence:.1f} %, {100 * accuracy:.1f} % right",
            )
            for confidence, accuracy, count in points
        ],
        legend=[("mean", "confidence equals accuracy"), ("plain", "images, area by number")],
    )


def _shares() -> list[Tick]:
    return [Tick(share, f"{100 * share:.0f} %") for share in _SHARES]
