"""Facts about the countdown of a training's time."""

import time

from model.training import countdown as module
from model.training.countdown import Countdown
from tests.support.clock import Clock


def test_it_counts_down_from_the_latest_estimate_and_stays_at_zero():
    """Judging a model takes minutes, and nothing measures them meanwhile."""
    clock = Clock()
    reports: list[float] = []
    countdown = Countdown(reports.append, clock=clock)
    countdown.tick()
    countdown.set(90)
    countdown.tick()
    clock.now += 60
    countdown.tick()
    countdown.set(10)
    countdown.tick()
    clock.now += 60
    countdown.tick()
    assert reports == [90, 30, 10, 0]


def test_a_thread_reports_until_the_end(monkeypatch, eventually):
    """It does so whatever its caller does meanwhile, and says nothing afterwards."""
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.01)
    reports: list[float] = []
    with Countdown(reports.append) as countdown:
        countdown.set(100)
        eventually(lambda: len(reports) > 2, what="three reports")
    count = len(reports)
    assert sorted(reports, reverse=True) == reports
    time.sleep(0.1)
    assert len(reports) == count
