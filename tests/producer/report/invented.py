"""Helpers that read reports, and that make jobs from other jobs."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from producer.jobs.results import NONE, JobInfo, Results, TimelinePoint


class Page(HTMLParser):
    """The content of a page: its elements, their attributes, the rows of its tables, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.style = self.script = ""
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())

    def values(self, *names: str) -> list[str]:
        """The values of all attributes of these names."""
        return [value for name, value in self.attributes if name in names]

    def handle_starttag(self, tag, attrs):
        """Record an element and its attributes."""
        self._open.append(tag)
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        """Close an element, and the elements within it that have no end tag."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        """Record the text, and the cell that it is in."""
        if "style" in self._open:
            self.style += data
            return
        if "script" in self._open:
            self.script += data
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def strict(path: Path):
    """The content of a JSON file, which must not hold NaN."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def info_of(results: Results, *, seconds: float = 2.0, state: str = "done") -> JobInfo:
    """Times and workers of a job that ran evenly on two workers."""
    count = len(results)
    timeline = [TimelinePoint(seconds * step / 10, count * step // 10) for step in range(1, 11)]
    workers = {"worker@host:1": count - count // 2, "worker@host:2": count // 2}
    return JobInfo("20250101-abcd", "/data/scans", state, 1_735_689_600.5, seconds, timeline, workers)


def with_failures(results: Results, failures) -> Results:
    """The same job, in which exactly these images failed."""
    digits, confidences = results.digits.copy(), results.confidences.copy()
    digits[list(failures)], confidences[list(failures)] = NONE, np.nan
    return replace(results, digits=digits, confidences=confidences, failures=dict(failures))


def unlabelled(results: Results) -> Results:
    """The same job without labels."""
    return replace(results, labels=np.full(len(results), NONE, np.int8))


def first(results: Results, count: int) -> Results:
    """The first images of a job."""
    return Results(
        results.names[:count],
        results.labels[:count],
        results.digits[:count],
        results.confidences[:count],
        None,
        results.models[:count],
        {index: failure for index, failure in results.failures.items() if index < count},
    )


def invented(labels, digits, confidences) -> Results:
    """A job with these labels, predictions and confidences."""
    count = len(labels)
    names = [str(index) for index in range(count)]
    return Results(
        names,
        np.array(labels, np.int8),
        np.array(digits, np.int8),
        np.array(confidences, np.float32),
        None,
        ["v1"] * count,
        {},
    )
