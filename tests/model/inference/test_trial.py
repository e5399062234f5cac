"""Facts about the process with limits in which a model is tried, with models that really do harm."""

import contextlib
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from model.cards.card import BASELINE, MODEL, read_model
from model.errors import ModelError, NotTried
from model.inference import limited_process
from model.inference.apart import classify_apart, time_apart
from model.inference.limited_child import trial_images
from model.inference.limits import MEMORY_BYTES
from model.inference.trial import try_model
from tests.support.models import Harm, harmful, marked

PEAK = """
import contextlib, resource, sys
from pathlib import Path
from model.errors import ModelError
from model.inference.trial import try_model
with contextlib.suppress(ModelError):
    try_model("measured", Path(sys.argv[1]).read_bytes(), 1.0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Tries the model of a file. Prints the peak memory of the process that ran it, in KiB."""


@pytest.fixture(scope="module")
def images(samples):
    """A few real digits."""
    return samples.test.images[:70]


def test_the_baseline_passes_and_takes_as_long_as_itself():
    """Its time is compared with that of the baseline in the same process, so a slow machine changes nothing."""
    card, model = read_model(BASELINE)
    assert 0.5 < try_model(card.version, model, card.temperature) < 2


def test_the_time_of_a_single_image_is_measured(images):
    """Linux counts the time of a limited process in ticks of some milliseconds, which would say that it took none."""
    card, model = read_model(BASELINE)
    one, many = (time_apart(card.version, model, card.temperature, images[:count]).seconds for count in (1, 64))
    assert 0 < one < many


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (Harm.TILE, "memory"),
        (Harm.CRASH, "SIGFPE"),
        (Harm.RAISE, "cannot run this model"),
        (Harm.LOOP, "CPU time"),
        (Harm.SLOW, "times as long as the baseline"),
        (Harm.NAN, "does not give probabilities"),
    ],
)
def test_a_model_that_does_harm_is_refused_with_the_reason_and_a_remedy(harm, words):
    """The message names the version."""
    card, files = harmful(harm)
    with pytest.raises(
        ModelError, match=f"(?s)harmful-{harm} did not pass.*{words}.*(Export|Train) it again"
    ) as refusal:
        try_model(card.version, files[MODEL], card.temperature)
    assert type(refusal.value) is ModelError


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_model_that_asks_for_gigabytes_gets_little_more_memory_than_the_baseline(tmp_path):
    """A fresh process tries each and says what its only child took, because a process knows just its largest child."""

    def peak(model):
        (tmp_path / MODEL).write_bytes(model)
        tried = [sys.executable, "-c", PEAK, str(tmp_path / MODEL)]
        return 1024 * int(subprocess.run(tried, capture_output=True, check=True).stdout)

    assert peak(harmful(Harm.TILE)[1][MODEL]) <= peak(read_model(BASELINE)[1]) + MEMORY_BYTES


@pytest.mark.parametrize("model", [b"", b"not a model" * 100])
def test_what_is_not_a_model_is_refused(model):
    """LiteRT cannot load it."""
    with pytest.raises(ModelError, match="cannot load"):
        try_model("junk", model, 1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_makes_no_probabilities_is_refused(temperature):
    """One wrong number on a card is enough to spoil every answer."""
    with pytest.raises(ModelError, match="temperature"):
        try_model("cold", read_model(BASELINE)[1], temperature)


def test_apart_a_model_gives_the_predictions_of_the_classifier(images, baseline):
    """Only the process differs."""
    card, model = read_model(BASELINE)
    here, apart = baseline.classify(images), classify_apart(card.version, model, card.temperature, images)
    for name in ("digits", "confidences", "probabilities"):
        assert np.array_equal(getattr(here, name), getattr(apart, name))
        assert getattr(here, name).dtype == getattr(apart, name).dtype


@pytest.mark.parametrize(("harm", "words"), [(Harm.CRASH, "SIGFPE"), (Harm.RAISE, "cannot run")])
def test_a_model_that_fails_on_some_images_passes_its_trial_and_is_found_out_on_these(harm, words, images, baseline):
    """No trial can show everything. Apart, such a model harms nothing but its own process."""
    card, files = harmful(harm, only_marked=True)
    try_model(card.version, files[MODEL], card.temperature)
    good = classify_apart(card.version, files[MODEL], card.temperature, images)
    assert np.array_equal(good.digits, baseline.classify(images).digits)
    with pytest.raises(ModelError, match=f"fails on some images.*{words}"):
        classify_apart(card.version, files[MODEL], card.temperature, marked(images))


def test_the_trial_images_differ_and_have_no_mark():
    """The tests' marked images are none of them."""
    tried = trial_images()
    assert len(np.unique(tried.reshape(len(tried), -1), axis=0)) == len(tried)
    assert not (tried == marked(tried)).all(axis=(1, 2)).any()


def test_a_process_that_cannot_start_or_is_killed_says_nothing_about_the_model(monkeypatch):
    """A person or the system may end any process. The model is not refused then."""
    card, files = harmful(Harm.LOOP)

    def kill():
        while True:
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if any("limited_child" in word for word in child.cmdline()):
                        child.kill()
                        return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(NotTried, match="SIGKILL"):
        try_model(card.version, files[MODEL], card.temperature)
    killer.join()
    monkeypatch.setattr(sys, "executable", "/does/not/exist")
    with pytest.raises(NotTried, match="no process could be started"):
        try_model(card.version, files[MODEL], card.temperature)


def test_the_clock_is_a_backstop_that_does_not_condemn_a_model_on_a_busy_machine(monkeypatch):
    """The process is started twice, because a machine may have been paused. It had no time for the baseline either."""
    starts = []
    run = subprocess.run

    def counting(*arguments, **options):
        starts.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(limited_process, "WALL_SECONDS", 0.02)
    monkeypatch.setattr(subprocess, "run", counting)
    with pytest.raises(NotTried, match="for the baseline"):
        try_model("slow", read_model(BASELINE)[1], 1.0)
    assert len(starts) == 2
