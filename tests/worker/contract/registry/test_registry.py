"""Facts about the registry on a real server: a version is stored whole or not at all, and verified when read."""

import threading
from dataclasses import replace

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from model.cards.card import BASELINE, MODEL, WEIGHTS, Card, Score
from model.errors import ModelError, UsageError
from worker.contract.connection import connect
from worker.contract.errors import WireError
from worker.contract.ledger import JobRecord
from worker.contract.registry import HISTORY_KEPT, BestChange, Fence, Registry, Retention, ServiceCounts
from worker.contract.registry import keys as registry_keys

BASELINE_CARD = Card.read(BASELINE)
BASELINE_VERSION = BASELINE_CARD.version
RIGHT = BASELINE_CARD.validation.int8.correct


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def published(registry, variant):
    """A published version: its card and its files."""
    card, files = variant("published")
    registry.publish(card, files)
    return card, files


def test_what_is_published_comes_back_as_it_was(registry, published):
    """A trainer gets the card and all files. A worker gets the card and model.tflite."""
    card, files = published
    assert registry.fetch(card.version) == (card, files)
    assert registry.fetch_model(card.version) == (card, files[MODEL])
    assert registry.card(card.version) == card


def test_the_baseline_is_live_until_something_is_promoted(registry, published):
    """It is listed and can be fetched, although nobody uploaded it."""
    assert registry.live() == BASELINE_VERSION
    assert [each.version for each in registry.versions()] == [published[0].version, BASELINE_VERSION]
    card, files = registry.fetch(BASELINE_VERSION)
    assert set(files) == set(card.files)
    assert registry.fetch_model(BASELINE_VERSION) == (card, files[MODEL])


def test_a_version_never_changes(registry, published, variant):
    """Another model under its name is refused. Publishing the same one again changes nothing."""
    card, files = published
    before = registry.versions()
    with pytest.raises(ModelError, match="another model published-"):
        registry.publish(*variant("published", temperature=3.0))
    registry.publish(card, files)
    assert registry.versions() == before


def test_nobody_takes_the_name_of_the_baseline_or_of_an_alias(registry, variant):
    """Otherwise `live` or the baseline's name could mean two versions."""
    card, files = variant()
    for name in ("live", "previous", "candidate", "best", "baseline", BASELINE_VERSION):
        with pytest.raises(ModelError, match="name"):
            registry.publish(replace(card, version=name), files)


@pytest.mark.parametrize("name", ["", ".hidden", "../escape", "a/b", "a b", "x" * 101, "é"])
def test_a_name_that_cannot_be_a_file_name_is_refused(registry, variant, name):
    """`models pull` makes a folder with the name of the version, and files with the names on its card."""
    card, files = variant()
    with pytest.raises(ModelError, match="not a name"):
        registry.publish(replace(card, version=name), files)
    content = files[MODEL]
    with pytest.raises(ModelError, match="not a name"):
        registry.publish(replace(card, files={**card.files, name: "0"}), {**files, name: content})


def test_what_its_card_does_not_vouch_for_is_not_published(registry, client, variant):
    """If a file is altered, missing or surplus, the error names the fault, and nothing is stored."""
    card, files = variant()
    for wrong, words in (
        ({**files, MODEL: files[MODEL][:-1]}, "not what its card vouches for"),
        ({MODEL: files[MODEL]}, "is missing"),
        ({**files, "extra": b"1"}, "does not vouch for extra"),
    ):
        with pytest.raises(ModelError, match=words):
            registry.publish(card, wrong)
    with pytest.raises(ModelError, match=f"names no {MODEL}"):
        registry.publish(replace(card, files={}), {})
    assert client.keys("*") == []


@pytest.mark.parametrize("field", [registry_keys.CARD, registry_keys.SHA256, registry_keys.file(MODEL)])
@pytest.mark.parametrize("harm", ["removed", "cut", "flipped"])
def test_a_damaged_version_is_never_given_out(registry, client, published, field, harm):
    """If a part is missing, cut short or has a flipped bit, the version is refused with the remedy."""
    version = published[0].version
    key = registry_keys.model(version)
    content = bytearray(client.hget(key, field))
    content[len(content) // 2] ^= 1
    if harm == "removed":
        client.hdel(key, field)
    else:
        client.hset(key, field, bytes(content) if harm == "flipped" else bytes(content[:-7]))
    for read in (registry.fetch, registry.fetch_model, lambda version: registry.promote(version, reason="test")):
        with pytest.raises(ModelError, match=r"(?s)published-.*Push it again"):
            read(version)
    assert registry.live() == BASELINE_VERSION


def test_a_damaged_version_is_listed_with_its_problem_and_mended_by_publishing_it_again(registry, client, published):
    """A damaged version neither breaks the list nor is missing from it."""
    card, files = published
    client.hdel(registry_keys.model(card.version), registry_keys.CARD)
    client.hdel(registry_keys.model(card.version), registry_keys.file(WEIGHTS))
    damaged, baseline = registry.versions()
    assert (damaged.version, damaged.card) == (card.version, None)
    assert "does not have model" in damaged.problem
    assert baseline.card is not None
    registry.publish(card, files)
    assert registry.fetch(card.version) == (card, files)


def test_promoting_and_rolling_back_move_the_aliases(registry, published):
    """A promoted version is live, and the one before it is the previous one. Rolling back swaps the two."""
    version = published[0].version
    assert registry.aliases() == (BASELINE_VERSION, None, version, BASELINE_VERSION)
    assert registry.promote(version, reason="better")
    assert registry.aliases() == (version, BASELINE_VERSION, None, BASELINE_VERSION)
    assert not registry.promote(version, reason="again")
    assert registry.rollback(reason="worse") == BASELINE_VERSION
    assert registry.aliases() == (BASELINE_VERSION, version, None, BASELINE_VERSION)
    assert registry.rollback(reason="after all") == version
    history = [(change.action, change.version, change.before, change.reason) for change in registry.history()]
    assert history == [
        ("rollback", version, BASELINE_VERSION, "after all"),
        ("rollback", BASELINE_VERSION, version, "worse"),
        ("promote", version, BASELINE_VERSION, "better"),
    ]
    assert all(change.at > 1.7e9 and "@" in change.who for change in registry.history())


@pytest.fixture
def publish(registry, variant):
    """Publish a variant of the baseline whose card has other validation figures. Return its version."""

    def make(name, correct, total=BASELINE_CARD.validation.int8.total, **options):
        card, files = variant(name)
        validation = replace(card.validation, int8=Score.of(correct, total))
        registry.publish(replace(card, validation=validation), files, **options)
        return card.version

    return make


def test_the_best_is_the_version_with_the_highest_validation_accuracy_that_ever_was_live(registry, publish):
    """A worse one does not take its place, nor one that was judged on other images. A rollback changes nothing."""
    assert registry.resolve("best") == BASELINE_VERSION
    better, worse, other = publish("better", RIGHT + 3), publish("worse", RIGHT - 3), publish("other", 150, 150)
    never = publish("never", RIGHT + 5)
    assert registry.aliases().best == BASELINE_VERSION
    for version, best in ((worse, BASELINE_VERSION), (better, better), (worse, better), (other, better)):
        registry.promote(version, reason="test")
        assert registry.aliases().best == registry.resolve("best") == best
    assert registry.aliases().of(better) == ["best"]
    registry.rollback(reason="test")
    registry.withdraw(worse, reason="test", who="test")
    assert registry.aliases().best == better
    registry.promote(never, reason="now it is")
    assert registry.aliases().of(never) == ["live", "best"]


def test_who_has_compared_the_versions_says_which_is_the_best(registry, publish):
    """If another version became the best meanwhile, the comparison is void, although the same one is live again."""
    better, worse = publish("better", RIGHT + 3), publish("worse", RIGHT - 3)
    registry.promote(better, reason="in between")
    registry.rollback(reason="in between")
    with pytest.raises(ModelError, match="is the best version now, so nothing was changed"):
        registry.promote(
            worse, reason="late", expected=BASELINE_VERSION, best=BestChange(worse, before=BASELINE_VERSION)
        )
    assert registry.aliases()[0::3] == (BASELINE_VERSION, better)
    registry.promote(worse, reason="measured", expected=BASELINE_VERSION, best=BestChange(worse, before=better))
    assert registry.aliases()[0::3] == (worse, worse)


def test_the_best_version_is_never_dropped(registry, publish):
    """However old it is, and whatever was live since."""
    best = publish("best", RIGHT + 9)
    registry.promote(best, reason="test")
    for number in range(Retention().versions + 2):
        registry.promote(publish(f"later{number:02}", RIGHT), reason="test")
    assert registry.fetch_best()[0].version == best


def test_where_older_releases_promoted_the_best_is_found_in_the_history(registry, client, publish):
    """They record none. The next publication records it before it drops old versions."""
    versions = [publish(f"old{number}", RIGHT + number % 3) for number in range(5)]
    for version in versions[:4]:
        registry.promote(version, reason="test")
    client.hdel(registry_keys.ALIASES, "best")
    assert registry.aliases().best is None
    assert registry.fetch_best() == registry.fetch_model(versions[2])
    for number in range(Retention().versions):
        publish(f"later{number:02}", RIGHT)
    assert registry.aliases().best == registry.resolve("best") == versions[2]
    assert registry.fetch(versions[2])


@pytest.mark.parametrize("harm", ["removed", "altered"])
def test_if_the_best_is_damaged_the_next_best_stands_in_for_it(registry, client, publish, harm):
    """Of those that were live. The baseline is never damaged. A promotion then records who stands in."""
    second, best, live = publish("second", RIGHT + 1), publish("best", RIGHT + 2), publish("live", RIGHT)
    for version in (second, best, live):
        registry.promote(version, reason="test")
    if harm == "removed":
        client.delete(registry_keys.model(best))
    else:
        client.hset(registry_keys.model(best), registry_keys.file(MODEL), b"altered")
    assert registry.fetch_best()[0].version == second
    assert registry.aliases().best == best
    registry.promote(BASELINE_VERSION, reason="test")
    assert registry.aliases().best == second
    for version in (second, live):
        client.delete(registry_keys.model(version))
    assert registry.fetch_best()[0].version == BASELINE_VERSION


def test_the_baseline_is_that_of_the_program_that_reads(registry, client, published):
    """After an upgrade, an alias that meant the old baseline means the new one."""
    version = published[0].version
    upgraded = Registry(client)
    upgraded.__dict__["baseline"] = replace(registry.baseline, version="baseline-of-the-next-release")
    registry.promote(version, reason="test")
    assert upgraded.aliases()[:2] == (version, "baseline-of-the-next-release")
    assert upgraded.canary() == (version, "baseline-of-the-next-release")
    registry.rollback(reason="test")
    assert upgraded.live() == "baseline-of-the-next-release"
    assert registry.live() == BASELINE_VERSION
    assert registry.history()[0].version == BASELINE_VERSION


def test_there_is_no_rolling_back_from_the_first_version(registry):
    """The error says that nothing was live before it."""
    with pytest.raises(ModelError, match="nothing to roll back to"):
        registry.rollback(reason="test")


def test_a_comparison_with_a_version_that_is_not_live_any_more_changes_nothing(registry, variant):
    """If two callers judge the same live version at once, only the first one's decision counts."""
    for name in ("one", "two"):
        registry.publish(*variant(name))
    one, two = registry.resolve("one"), registry.resolve("two")
    registry.promote(one, reason="first", expected=BASELINE_VERSION)
    with pytest.raises(ModelError, match="is not live any more"):
        registry.promote(two, reason="second", expected=BASELINE_VERSION)
    registry.rollback(reason="found fault", expected=one)
    with pytest.raises(ModelError, match="is not live any more"):
        registry.rollback(reason="found fault too", expected=one)
    assert registry.live() == BASELINE_VERSION
    assert len(registry.history()) == 2


def test_of_many_at_once_one_promotes(server, registry, variant):
    """Of eight callers at the same moment, one succeeds, and the others get an error."""
    names = [f"racer{number}" for number in range(8)]
    for name in names:
        registry.publish(*variant(name))
    versions = [registry.resolve(name) for name in names]
    outcomes: list[str] = []
    start = threading.Barrier(len(versions))

    def race(version: str) -> None:
        racer = Registry(connect(server.url))
        start.wait()
        try:
            racer.promote(version, reason="race", expected=BASELINE_VERSION)
            outcomes.append(version)
        except ModelError:
            outcomes.append("")

    threads = [threading.Thread(target=race, args=[version]) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = filter(None, outcomes)
    assert registry.aliases()[:2] == (winner, BASELINE_VERSION)
    assert len(registry.history()) == 1


def test_a_trainer_that_lost_its_fence_neither_publishes_nor_promotes(registry, client, variant):
    """A trainer that was away too long must not interfere with the one that took over."""
    card, files = variant("late")
    late, current = Fence("digitmill:test:lease", "1"), Fence("digitmill:test:lease", "2")
    for holder in (None, "2"):
        if holder:
            client.set(late.key, holder)
        with pytest.raises(ModelError, match="lease"):
            registry.publish(card, files, fence=late)
    assert [each.version for each in registry.versions()] == [BASELINE_VERSION]
    registry.publish(card, files, fence=current)
    with pytest.raises(ModelError, match="lease"):
        registry.promote(card.version, reason="late", fence=late)
    assert registry.promote(card.version, reason="in time", fence=current)


def test_old_versions_go_unless_they_have_an_alias(registry, client, variant):
    """Redis keeps a fixed number of versions. The live and the previous one stay, however old they are."""
    registry.publish(*variant("first"))
    registry.publish(*variant("second"))
    first, second = registry.resolve("first"), registry.resolve("second")
    registry.promote(first, reason="test")
    registry.promote(second, reason="test")
    for number in range(Retention().versions + 3):
        registry.publish(*variant(f"later{number:02}"))
    kept = {each.version for each in registry.versions()} - {BASELINE_VERSION}
    assert len(kept) == Retention().versions + 2
    assert {first, second} < kept
    assert client.dbsize() == len(kept) + 3  # the list, the aliases and the history
    registry.fetch(first)
    with pytest.raises(ModelError, match="not have model later00"):
        registry.fetch(variant("later00")[0].version)


@pytest.fixture
def four(registry, publish, ledger):
    """Four versions in the order of their publication, and none other: previous, live, needed by a job, and free.

    The live version is the best one, too.
    """
    previous, live = publish("previous1", RIGHT), publish("live1", RIGHT + 1)
    for version in (previous, live):
        registry.promote(version, reason="test")
    needed, free = publish("needed", RIGHT), publish("free", RIGHT)
    ledger.create("job-1", JobRecord("scans/", needed, "host-1", {}, ""))
    ledger.create("job-2", JobRecord("scans/", free, "host-1", {}, ""))
    ledger.cancel("job-2")
    return previous, live, needed, free


def test_old_versions_go_by_number_and_by_age_unless_something_holds_them(registry, client, publish, four):
    """A job that has ended holds none. The age is that of Redis' clock, since the publication of a version."""
    *held, free = four
    client.hdel(registry_keys.ALIASES, "candidate")
    young = publish("young", RIGHT, retention=Retention(seconds=3600))
    assert [each.version for each in registry.versions()] == [young, *reversed(four), BASELINE_VERSION]
    for version in (*four, young):
        client.zincrby(registry_keys.MODELS, -3_601_000, version)
    newest = publish("newest", RIGHT, retention=Retention(seconds=3600))
    assert [each.version for each in registry.versions()] == [newest, *reversed(held), BASELINE_VERSION]
    last = publish("last", RIGHT, retention=Retention(1))
    assert [each.version for each in registry.versions()] == [last, *reversed(held), BASELINE_VERSION]
    assert client.exists(*map(registry_keys.model, (free, young, newest))) == 0


def test_what_a_version_was_refined_from_stays_as_long_as_that_has_an_alias(registry, client, publish, variant):
    """The next refinement starts with it. Where it is gone all the same, the version itself stands in for it."""
    whole = publish("whole", RIGHT)
    card, files = variant("refined")
    card = replace(card, recipe={**card.recipe, "refines": True}, start=whole)
    registry.publish(card, files)
    assert registry.fetch_origin(card)[0].version == registry.fetch_origin(registry.card(whole))[0].version == whole
    for version in (whole, card.version, BASELINE_VERSION):
        registry.promote(version, reason="test")
    last = publish("last", RIGHT, retention=Retention(1))
    assert [each.version for each in registry.versions()] == [last, card.version, whole, BASELINE_VERSION]
    with pytest.raises(UsageError, match=rf"{whole} cannot be deleted: {card.version} was refined from it, and the"):
        registry.delete([whole])
    client.delete(registry_keys.model(whole))
    assert registry.fetch_origin(card) == (card, files)
    registry.promote(last, reason="test")
    client.hset(registry_keys.ALIASES, "best", "baseline")
    registry.delete([whole, card.version])
    client.set(registry_keys.model(last), "text")
    newest = publish("newest", RIGHT, retention=Retention(1))
    assert next(each.version for each in registry.versions()) == newest


def test_what_lies_where_jobs_should_be_keeps_no_version_and_is_not_touched(registry, client, publish):
    """Somebody else wrote it. A trainer, which may not change jobs, still publishes."""
    client.set("digitmill:jobs", "text")
    publish("first", RIGHT)
    second = publish("second", RIGHT, retention=Retention(1))
    client.delete("digitmill:jobs")
    client.zadd("digitmill:jobs", {"job-1": 1})
    client.set("digitmill:job:job-1", "text")
    third = publish("third", RIGHT, retention=Retention(1))
    assert [each.version for each in registry.versions()] == [third, BASELINE_VERSION]
    assert client.get("digitmill:job:job-1") == b"text"
    assert second != third


def test_a_version_that_something_holds_is_not_deleted_and_the_error_says_what_to_do(registry, client, four):
    """Then none of several versions is deleted."""
    previous, live, needed, free = four
    for version, words in (
        (live, "it is live. First promote another"),
        (previous, "it is the previous version, to which workers roll back"),
        (
            needed,
            r"job job-1 is classified with it\. Wait until that job ends, or cancel it \(`digitmill cancel job-1`\)",
        ),
        (BASELINE_VERSION, "is the baseline, which each installation has"),
    ):
        with pytest.raises(UsageError, match=words):
            registry.delete([free, version])
    registry.promote(free, reason="test")
    registry.promote(needed, reason="test")
    with pytest.raises(UsageError, match="it is the best version that ever was live, and the gate compares"):
        registry.delete([live])
    assert len(registry.versions()) == 5
    registry.delete([previous, "gone"])
    assert client.exists(registry_keys.model(previous)) == 0
    assert len(registry.versions()) == 4


def test_the_candidate_and_a_damaged_version_can_be_deleted(registry, client, publish):
    """Afterwards there is not a candidate, and no key is left of either."""
    damaged, candidate = publish("damaged", RIGHT), publish("candidate1", RIGHT)
    client.hset(registry_keys.model(damaged), registry_keys.CARD, b"?")
    registry.delete([damaged, candidate])
    assert registry.aliases().candidate is None
    assert [each.version for each in registry.versions()] == [BASELINE_VERSION]
    assert client.keys("digitmill:model*") == []


def test_the_history_is_bounded(registry, client, published):
    """Rolling back again and again does not fill Redis, and a long reason is cut."""
    registry.promote(published[0].version, reason="x" * 100_000)
    assert len(registry.history()[0].reason) == 500
    for _ in range(HISTORY_KEPT + 5):
        registry.rollback(reason="to and \udcff fro")
    assert len(registry.history()) == HISTORY_KEPT
    assert client.memory_usage(registry_keys.MOVES) < 100_000


def test_a_full_redis_refuses_a_version_whole_but_still_rolls_back(registry, client, published, variant):
    """Nothing is published in part. A rollback must work in an emergency."""
    version = published[0].version
    registry.promote(version, reason="before")
    before = (client.dbsize(), registry.aliases(), registry.versions())
    client.config_set("maxmemory", "1mb")
    with pytest.raises((OutOfMemoryError, ResponseError), match=r"(?i)OOM|maxmemory"):
        registry.publish(*variant("surplus"))
    assert (client.dbsize(), registry.aliases(), registry.versions()) == before
    assert registry.rollback(reason="emergency") == BASELINE_VERSION


def test_a_version_is_named_by_alias_name_or_beginning(registry, variant):
    """An ambiguous or unknown name is refused."""
    for name in ("alpha", "alps"):
        registry.publish(*variant(name))
    alpha, alps = variant("alpha")[0].version, variant("alps")[0].version
    assert registry.resolve("alpha") == registry.resolve(alpha) == alpha
    assert registry.resolve("candidate") == alps
    assert registry.resolve("live") == registry.resolve("baseline") == BASELINE_VERSION
    for words, fault in (
        ("alp", "may mean"),
        ("beta", "not have model beta"),
        ("", "not have model"),
        ("previous", "not have a previous"),
    ):
        with pytest.raises(UsageError, match=fault):
            registry.resolve(words)


@pytest.mark.parametrize("field", ["live", "previous", "best"])
def test_a_name_that_is_too_long_is_not_fetched(registry, client, field):
    """Workers ask for the live version four times a second."""
    client.hset(registry_keys.ALIASES, field, b"v" * 2**20)
    client.config_resetstat()
    with pytest.raises(WireError, match="too long"):
        registry.aliases()
    if field == "live":
        with pytest.raises(WireError, match="too long"):
            registry.live()
    assert client.info("stats")["total_net_output_bytes"] < 2**17


@pytest.mark.parametrize("field", ["live", registry_keys.CANARY])
def test_a_glance_at_what_is_too_long_is_not_an_error(registry, client, field):
    """Otherwise a worker would neither report nor say what is wrong. It sees that something has changed."""
    before = registry.glance()
    client.hset(registry_keys.ALIASES, field, b"v" * 2**21)
    found = registry.glance()
    assert found == registry.glance() != before
    client.hdel(registry_keys.ALIASES, field)
    assert registry.glance() == before


def test_a_version_that_is_too_large_is_not_fetched(registry, client, published):
    """Its card and its files are measured first, and the list names it."""
    version = published[0].version
    key = registry_keys.model(version)
    before = client.hget(key, registry_keys.file(MODEL))
    client.hset(key, registry_keys.file(MODEL), bytes(33 * 2**20))
    for read in (registry.fetch, registry.fetch_model):
        with pytest.raises(ModelError, match="too large"):
            read(version)
    client.hset(key, mapping={registry_keys.file(MODEL): before, registry_keys.CARD: b" " * 2**21})
    for read in (registry.card, registry.fetch, registry.fetch_model):
        with pytest.raises(ModelError, match="too large"):
            read(version)
    assert "too large" in registry.versions()[0].problem
    client.hset(registry_keys.service_counts(version), registry_keys.FAULT, b"x" * 2**20)
    assert registry.fault(version) == registry.versions()[0].fault == ""
    assert registry.service_counts(version) == ServiceCounts(), "it reads the counts alone"
    client.hset(registry_keys.service_counts(version), "images", b"1" * 2**20)
    with pytest.raises(WireError, match="too large"):
        registry.service_counts(version)
