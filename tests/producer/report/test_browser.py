"""The page of a report in a real browser: a person filters, corrects by keyboard, saves, and `teach` takes the file."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import Failure, FailureCode
from producer.jobs.results import FinishedJob
from producer.pictures import Picture
from producer.report.comparison.matching import compare
from producer.report.comparison.page import pictured, write_comparison
from producer.report.write import write_report
from tests.producer.report.invented import info_of, invented, with_failures
from tests.support.browser import CHROMIUM, open_browser
from tests.support.command import run_here
from worker.contract.connection import connect
from worker.contract.teaching import Teaching

AXE = Path(__file__).parents[2] / "support" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
CARDS = "[...document.querySelectorAll('#cards article')].map(card => card.getAttribute('aria-label'))"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory, results, images, card):
    """The page of a job, with a picture of each image to look at."""
    folder = tmp_path_factory.mktemp("report")
    shares = tuple(np.linspace(0, 0.18, 10).tolist())

    def read_pictures(indices):
        return {index: Picture(images.images[index], None, shares) for index in indices}

    write_report(
        folder, results, info_of(results), card=card, read_pictures=read_pictures, min_confidence=0.9, plots=False
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    """A browser for all tests of this module."""
    with open_browser() as running:
        yield running


@pytest.fixture
def opened(browser, page):
    """The browser with the page, at the width of a desk's screen, without earlier corrections."""
    browser.look(1280)
    browser.faults.clear()
    browser.open(page)
    browser.run("localStorage.clear()")
    browser.reload()
    yield browser
    assert browser.faults == []


def test_a_person_finds_corrects_and_saves_images_and_teach_takes_them(opened, results, images, server, tmp_path):
    """A click on a cell shows its images. Corrections outlast a reload, and the saved file suffices to teach."""
    label, read = int(results.labels[0]), int(results.digits[0])
    opened.click(f"td[data-filter='true={label}&read={read}'] button")
    opened.wait_for("!document.querySelector('#filter').hidden")
    assert opened.run("location.hash") == f"#true={label}&read={read}"
    shown = opened.run(CARDS)
    assert shown
    assert all(each.startswith(f"labelled {label}, read as {read}") for each in shown)
    assert f"labelled {label}, read as {read}" in opened.run("document.querySelector('#filter').innerText")
    opened.click("#all")
    opened.wait_for(f"{CARDS}.length > {len(shown)}")

    opened.click("#cards article")
    opened.press("3", " ", "x", "7", "1", "5")  # the six most important images
    opened.press("Backspace")  # takes the last one back
    index = opened.run("JSON.parse(document.getElementById('data').textContent).cards.index")[:6]
    possible = len(opened.run("JSON.parse(document.getElementById('data').textContent).cards.index"))
    assert opened.run("document.querySelector('#done').textContent") == f"5 of {possible} done"
    assert opened.run("document.querySelector('#unsaved').textContent") == "5 not saved yet"
    opened.reload()
    assert opened.run("document.querySelector('#done').textContent") == f"5 of {possible} done"
    said = [each.rpartition("you said: ")[2] for each in opened.run(CARDS)[:6]]
    were = [str(digit) for digit in results.digits[index]]
    pressed = ["3", were[1], "not a digit", "7", "1"]
    assert said[:5] == [f"{key}, right" if key == digit else key for key, digit in zip(pressed, were[:5], strict=True)]
    assert "you said" not in opened.run(CARDS)[5]

    opened.save_downloads(tmp_path)
    opened.click("#save")
    opened.wait_for("document.querySelector('#unsaved').textContent === 'all saved'")
    saved = tmp_path / "corrections.csv"
    opened.until(saved.exists)

    connect(server.url).flushall()
    environment = {"DIGITMILL_REDIS_URL": server.url, "DIGITMILL_DATA": str(tmp_path / "data")}
    ended = run_here("teach", "--csv", saved, "--json", **environment)
    assert (ended.exit_code, json.loads(ended.stdout)["new"]) == (0, 4)
    assert "1 of them is not a digit" in ended.stderr
    taught = {change.name: change for change in Teaching(connect(server.url)).label_changes()[1]}
    labels = dict(zip(index, [3, int(results.digits[index[1]]), None, 7, 1], strict=False))
    for each in (index[0], index[1], index[3], index[4]):
        change = taught[f"job 20250101-abcd/{results.names[each]}"]
        assert change.label == labels[each]
        np.testing.assert_array_equal(change.image, images.images[each])


def test_a_bar_and_a_cause_filter_by_keyboard_and_back_leads_back(opened, results):
    """A bin of the histogram is a button. The filter is in the address, with its count. Space opens the help."""
    opened.run("document.querySelector('rect.target').focus()")
    opened.press("Enter")
    opened.wait_for("!document.querySelector('#filter').hidden")
    low = opened.run("new URLSearchParams(location.hash.slice(1)).get('from')")
    lowest = float(np.nanmin(results.confidences))
    assert float(low) <= lowest < float(low) + 0.05
    assert len(opened.run(CARDS)) == int(opened.run("document.querySelector('rect.target').dataset.count"))
    opened.click("#cards article")
    opened.run("document.querySelector('#bar summary').focus()")
    opened.press(" ")
    opened.wait_for("document.querySelector('#bar details').open")
    assert opened.run("document.querySelector('#done').textContent").startswith("0 of")
    opened.run("history.back()")
    opened.wait_for("document.querySelector('#filter').hidden")
    opened.run("location.hash = 'cause=mistake'")
    opened.wait_for("document.querySelector('#filter-name').textContent === 'wrong'")
    wrong = (results.digits >= 0) & (results.digits != results.labels)
    assert f"wrong: {wrong.sum()} image" in opened.run("document.querySelector('#filter').innerText")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm ci --prefix tests/support/axe)")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_light_and_dark_on_a_desk_and_a_phone(opened, dark):
    """Contrast, names and roles are right, also for a chosen and corrected card. Nothing is wider than the phone."""
    opened.click("#cards article")
    opened.press("3")
    opened.click("td[data-filter] button")
    check_with_axe(opened, dark=dark)


def check_with_axe(browser, *, dark):
    """Check that axe-core finds nothing serious on the page, on a desk and on a phone, and that it fits the phone."""
    browser.run(AXE.read_text(encoding="utf-8"))
    for width in (1280, 360):
        browser.look(width, dark=dark)
        found = browser.run(
            "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.map("
            "({id, impact, nodes}) => [id, impact, nodes[0].failureSummary]))"
        )
        assert [each for each in found if each[1] in ("serious", "critical")] == []
        assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm ci --prefix tests/support/axe)")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_a_comparison(browser, tmp_path, results, images, dark):
    """With pictures of what changed, of two jobs whose folders have other names."""
    other = np.where(results.digits == 4, 9, results.digits).astype(np.int8)
    moved = replace(results, digits=other, names=[f"a/long/folder/{name}" for name in results.names])
    one, two = (FinishedJob(each, info_of(each), None) for each in (results, moved))
    compared = compare(one, two, 0.9, 0.8)
    write_comparison(tmp_path / "page.html", compared, {row: images.images[row] for row in pictured(compared)})
    browser.open(tmp_path / "page.html")
    check_with_axe(browser, dark=dark)


def test_a_confusion_matrix_of_large_counts_fits_a_desk_and_paper(browser, tmp_path, card):
    """Counts of five digits and failed images need the whole width."""
    digits = np.repeat(np.arange(10), 12_000)
    job = with_failures(invented(digits, digits, np.full(len(digits), 0.99)), {0: Failure(FailureCode.BLANK, "It is.")})
    write_report(tmp_path, job, info_of(job), card=card, read_pictures=lambda _: {}, plots=False)
    browser.open(tmp_path / "report.html")
    for media, width in (("screen", 1280), ("print", 700)):
        browser.look(width)
        browser.ask("Emulation.setEmulatedMedia", media=media)
        sides = browser.run(
            "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])"
            "(document.querySelector('.scroll:has(> .confusion)'))"
        )
        assert sides[0] <= sides[1]
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_printed_it_has_two_pages_and_pictures_only_if_asked_for(opened):
    """All sections are open in print. The pictures need more pages."""
    pages = [len(re.findall(rb"/Type /Page\b", opened.print()))]
    opened.run("document.querySelector('#print-pictures').checked = true")
    pages.append(len(re.findall(rb"/Type /Page\b", opened.print())))
    assert pages[0] <= 2 < pages[1]


def test_without_its_script_the_page_shows_its_tables_and_the_first_pictures(opened):
    """Nothing that needs the script is there."""
    opened.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        opened.reload()
        opened.until(lambda: "Mistakes" in opened.text())
        assert "Confusion matrix" in opened.text()
        assert "Look and correct" not in opened.text()
    finally:
        opened.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_if_nothing_was_read_the_page_stays_as_it_is_without_its_script(browser, tmp_path, results):
    """It does not have a card, so it says why."""
    failures = dict.fromkeys(range(len(results)), Failure(FailureCode.BLANK, "It is blank."))
    job = with_failures(results, failures)
    write_report(tmp_path, job, info_of(job), card=None, read_pictures=lambda _: {}, plots=False)
    browser.open(tmp_path / "report.html")
    assert "None to show, because no labelled image could be classified." in browser.run("document.body.innerText")
    assert browser.run("document.querySelector('#review').hidden")


def test_a_page_of_two_thousand_cards_is_small_and_draws_few_of_them_at_once(browser, tmp_path, images, card):
    """It draws the others when a person moves on to them."""
    job = invented(np.arange(2500) % 10, np.arange(1, 2501) % 10, np.linspace(0.2, 0.7, 2500))

    def read_pictures(indices):
        return {index: Picture(images.images[index % 360], b"w" * 1000, (0.1,) * 10) for index in indices}

    write_report(tmp_path, job, info_of(job), card=card, read_pictures=read_pictures, min_confidence=0.9, plots=False)
    assert (tmp_path / "report.html").stat().st_size < 8_000_000
    browser.look(1280)
    browser.open(tmp_path / "report.html")
    assert 0 < len(browser.run(CARDS)) < 100
    browser.click("#cards article")
    browser.press("End")
    browser.wait_for(f"{CARDS}.length === 2000")
    assert browser.run("document.activeElement === document.querySelector('#cards li:last-child article')")
