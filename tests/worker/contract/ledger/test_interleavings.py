"""Calls of the ledger in random order: every image gets exactly one answer, and the counters are always exact."""

from typing import Any

import numpy as np
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from model.errors import Failure, FailureCode
from tests.support.answering import seal
from worker.contract.ledger import Claim, JobRecord, JobState, Ledger, Part, Submitted, Verdict, Window, keys
from worker.contract.ledger.ledger import LARGE_BYTES
from worker.contract.wire import Batch, Manifest, Result

JOB = "261123-142501-k7q"
HOLDERS = ("w1", "w2")
WIDE = Window(batches=10**6, bytes=10**9)
TO_DO = (Verdict.WORK, Verdict.SPLIT, Verdict.QUARANTINE)
# A lease either ends at once or outlasts the test.
LEASES = st.sampled_from([0.0, 60.0])


class Interleavings(RuleBasedStateMachine):
    """Clients and workers that do anything at any moment, and a model of what must be true of the job then."""

    client: Any

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.ledger = Ledger(self.client, ttl_seconds=3600)
        self.ledger.create(JOB, JobRecord("scans/", "baseline-1", "host-1", {}, ""))
        self.submitted: list[tuple[Part, Batch, Manifest]] = []
        self.claims: list[Claim] = []
        self.open: dict[Part, Batch] = {}
        self.holding: dict[Part, tuple[str, str]] = {}  # its last holder and the token of that claim
        self.unacknowledged: set[Part] = set()
        self.gathered: dict[Part, Result] = {}
        self.failed = 0
        self.rejected = 0

    @rule(images=st.integers(0, 7), rejected=st.integers(0, 2), size=st.sampled_from([1, LARGE_BYTES]))
    def submit(self, images: int, rejected: int, size: int) -> None:
        """A client submits a new batch of `images` images, and `rejected` images that could not be read."""
        sequence = len(self.submitted)
        batch = Batch(tuple(bytes([sequence % 256, index]) * size for index in range(images)))
        rows = images + rejected
        failures = {images + index: Failure(FailureCode.UNREADABLE, "Gone.") for index in range(rejected)}
        manifest = Manifest(("name",) * rows, (None,) * rows, failures)
        part = Part(JOB, sequence, 0, images)
        assert self.ledger.submit(part, batch, manifest, WIDE, detached=False) is Submitted.STORED
        self.submitted.append((part, batch, manifest))
        self.open[part] = batch
        self.rejected += rejected

    @precondition(lambda self: self.submitted)
    @rule(index=st.integers(0))
    def submit_again(self, index: int) -> None:
        """A client submits a batch again, because it got no reply. It never does so after acknowledging the batch."""
        part, batch, manifest = self.submitted[index % len(self.submitted)]
        if self.ledger.manifest(JOB, part.sequence) is not None:
            assert self.ledger.submit(part, batch, manifest, WIDE, detached=False) is Submitted.ALREADY_THERE

    @precondition(lambda self: self.submitted)
    @rule(index=st.integers(0), holder=st.sampled_from(HOLDERS), lease=LEASES)
    def claim(self, index: int, holder: str, lease: float) -> None:
        """A worker claims any part, open or not."""
        parts = [*self.open, *(part for part, _, _ in self.submitted)]
        self._claim(parts[index % len(parts)], f"t{len(self.claims)}", holder, lease)

    @precondition(lambda self: self.claims)
    @rule(index=st.integers(0), holder=st.sampled_from(HOLDERS), lease=LEASES)
    def claim_again(self, index: int, holder: str, lease: float) -> None:
        """A worker repeats any earlier claim with the same token."""
        before = self.claims[index % len(self.claims)]
        self._claim(before.part, before.token, holder, lease)

    def _claim(self, part: Part, token: str, holder: str, lease: float) -> Claim | None:
        claim = self.ledger.claim(part, token=token, holder=holder, lease_seconds=lease)
        assert (claim.verdict is Verdict.GONE) == (part not in self.open)
        if claim.verdict not in TO_DO:
            return None
        if claim.verdict is Verdict.QUARANTINE:
            assert claim.payload == b"", "nobody looks at the images again"
        else:
            assert Batch.from_wire(claim.payload).images == self.open[part].images
        self.claims.append(claim)
        self.holding[part] = (holder, token)
        return claim

    def _holds(self, claim: Claim) -> bool:
        return self.holding.get(claim.part, ("", ""))[1] == claim.token

    @precondition(lambda self: self.claims)
    @rule(index=st.integers(0), bad=st.integers(0, 7))
    def finish(self, index: int, bad: int) -> None:
        """A worker finishes any earlier claim, valid or stale."""
        self._finish(self.claims[index % len(self.claims)], bad)

    def _finish(self, claim: Claim, bad: int) -> bool:
        count = len(claim.part)
        failures = {index: Failure(FailureCode.BLANK, "Blank.") for index in range(min(bad, count))}
        digits = np.zeros(count, np.uint8)
        counted = self.ledger.finish(claim, Result("m", "w", digits, digits.astype(np.float32), None, failures))
        assert counted == self._holds(claim)
        if counted:
            del self.open[claim.part], self.holding[claim.part]
            self.unacknowledged.add(claim.part)
            self.failed += len(failures)
        return counted

    @precondition(lambda self: any(claim.payload and len(claim.part) > 1 for claim in self.claims))
    @rule(index=st.integers(0))
    def split(self, index: int) -> None:
        """A worker splits the part of any earlier claim, valid or stale."""
        claims = [claim for claim in self.claims if claim.payload and len(claim.part) > 1]
        self._split(claims[index % len(claims)])

    def _split(self, claim: Claim) -> None:
        batch = Batch.from_wire(claim.payload)
        middle = len(batch) // 2
        halves = batch.part(0, middle), batch.part(middle, len(batch))
        parts = self.ledger.split(claim, batch)
        assert bool(parts) == self._holds(claim)
        if parts:
            del self.open[claim.part], self.holding[claim.part]
            self.open.update(zip(parts, halves, strict=True))

    @precondition(lambda self: self.open)
    @rule(index=st.integers(0), holder=st.sampled_from(HOLDERS), refund=st.booleans())
    def release(self, index: int, holder: str, refund: bool) -> None:
        """The holder or another worker gives an open part back. Only the holder can."""
        parts = list(self.open)
        self._release(parts[index % len(parts)], holder, refund=refund)

    def _release(self, part: Part, holder: str, *, refund: bool) -> None:
        released = self.ledger.release(part, holder=holder, refund=refund)
        assert released == (self.holding.get(part, ("", ""))[0] == holder)
        if released:
            del self.holding[part]

    @precondition(lambda self: self.holding)
    @rule(index=st.integers(0), refund=st.booleans())
    def finish_too_late(self, index: int, refund: bool) -> None:
        """A worker gives a part back, and answers it all the same."""
        held = [claim for claim in self.claims if self._holds(claim)]
        claim = held[index % len(held)]
        self._release(claim.part, self.holding[claim.part][0], refund=refund)
        assert not self._finish(claim, 0)

    @precondition(lambda self: self.open)
    @rule(index=st.integers(0), holder=st.sampled_from(HOLDERS), lease=LEASES)
    def renew(self, index: int, holder: str, lease: float) -> None:
        """The holder or another worker renews the lease on an open part. Only the holder can."""
        parts = list(self.open)
        part = parts[index % len(parts)]
        renewed = self.ledger.renew(part, holder=holder, lease_seconds=lease)
        assert renewed == (self.holding.get(part, ("", ""))[0] == holder)

    @rule()
    def due(self) -> None:
        """A reconciler asks for overdue parts, and gets only open ones."""
        assert set(self.ledger.due()) <= self.open.keys()

    @precondition(lambda self: self.unacknowledged | self.gathered.keys())
    @rule(index=st.integers(0))
    def acknowledge(self, index: int) -> None:
        """The client acknowledges an answer for the first time or again."""
        parts = sorted(self.unacknowledged | self.gathered.keys())
        self._acknowledge(parts[index % len(parts)])

    def _acknowledge(self, part: Part) -> None:
        self.gathered |= {part: Result.from_wire(data) for part, data in self.ledger.results([part]).items()}
        self.ledger.acknowledge([part])
        self.unacknowledged.discard(part)

    @invariant()
    def the_counters_are_exact(self) -> None:
        """They hold after every step, not only at the end."""
        names = ("images", "answered", "failed", "open", "unread", "open_bytes", "batches")
        with self.client.pipeline(transaction=False) as both:  # one round trip after each step
            both.hmget(keys.job(JOB), names)
            both.zrange(keys.OPEN, 0, -1)
            values, members = both.execute()
        answered = sum(len(part) for part in self.unacknowledged | self.gathered.keys())
        assert dict(zip(names, (int(value or 0) for value in values), strict=True)) == {
            "images": sum(len(manifest.names) for _, _, manifest in self.submitted),
            "answered": answered + self.rejected,
            "failed": self.failed + self.rejected,
            "open": len(self.open),
            "unread": len(self.unacknowledged),
            "open_bytes": sum(len(batch.to_wire()) for batch in self.open.values()),
            "batches": len(self.submitted),
        }
        assert self.ledger.answered_parts(JOB) == self.unacknowledged
        assert {member.decode() for member in members} == {p.member for p in self.open}

    def teardown(self) -> None:
        """Let workers finish the job, and check that every image has exactly one answer."""
        sent = {part.sequence: len(part) for part, _, _ in self.submitted}
        assert seal(self.ledger, JOB, sent).ended == all(len(part) == 0 for part in self.open)
        rounds = 0
        while self.open:
            rounds += 1
            assert rounds < 100, "it does not end"
            for part in list(self.open):
                for holder in HOLDERS:
                    self._release(part, holder, refund=False)
                claim = self._claim(part, f"end-{rounds}", "w1", 60.0)
                assert claim
                if claim.verdict is Verdict.SPLIT:
                    self._split(claim)
                else:
                    assert self._finish(claim, 0)
            self.the_counters_are_exact()
        for part in list(self.unacknowledged):
            self._acknowledge(part)
        images = sorted((part.sequence, index) for part in self.gathered for index in range(part.start, part.stop))
        assert images == [(part.sequence, index) for part, _, _ in self.submitted for index in range(part.stop)]
        assert all(len(part) == len(result) for part, result in self.gathered.items())
        ended = JobState.DONE_WITH_ERRORS if self.failed + self.rejected else JobState.DONE
        assert self.ledger.job(JOB).state is ended
        left = {key.decode() for key in self.client.scan_iter()}
        assert left <= {keys.JOBS, keys.job(JOB), keys.notifications(JOB), keys.SENDING}


def test_any_interleaving_answers_every_image_exactly_once(client: "redis.Redis") -> None:
    """Hypothesis submits, claims, finishes, splits, releases, renews and acknowledges in random order.

    It prints the steps that failed as they were, because a search for fewer could outlast the time limit of a test.
    """
    machine = type("Interleavings", (Interleavings,), {"client": client})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            phases=[Phase.reuse, Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
