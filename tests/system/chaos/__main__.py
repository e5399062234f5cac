"""Harm a running mill in many ways, with seeds, and print what became of its jobs.

Each try runs a mill of its own: a real server, two workers, a proxy between them, and clients as processes of their
own. A job runs while the fault happens. Its rows must be those of a run in this process without any fault, each once.
Then its exit code, its counters and the keys that are left in Redis are checked.

The table has a line for each fault: tries; images that were lost, duplicated and wrong; other faults; and the longest
time without progress, with its limit. Below are the faults in words, with the command that repeats each. The exit code
is 1 if anything is wrong.
"""

import argparse
import sys
import time

from tests.system.chaos.suite import ELSEWHERE, FAULTS, Row, run_suite

HEADER = (
    f"{'fault':<46}{'tries':>6}{'lost':>6}{'duplicated':>12}{'wrong':>7}{'other':>7}{'longest stall':>15}{'limit':>7}"
)


def main() -> int:
    """Try the faults that the command line names. Return 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.chaos",
        description=__doc__,
        epilog="\n  ".join(["faults:", *FAULTS, "", "held by other tests:"])
        + "".join(f"\n    {what}: {where}" for what, where in ELSEWHERE.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the first try; each further try has the next one")
    parser.add_argument("--tries", type=int, default=2, help="number of tries of each fault (default 2)")
    parser.add_argument("--at-once", type=int, default=2, help="number of tries that run at the same time (default 2)")
    parser.add_argument("--only", default="", help="only faults whose names contain this; several with commas between")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="factor of all limits, for slow machines (default 1)"
    )
    arguments = parser.parse_args()
    faults = [fault for name, fault in FAULTS.items() if any(part in name for part in arguments.only.split(","))]
    if not faults:
        parser.error(f"no fault has {arguments.only!r} in its name")
    began, rows = time.monotonic(), []
    print(HEADER, flush=True)
    for row in run_suite(faults, arguments.seed, arguments.tries, arguments.at_once, arguments.patience):
        rows.append(row)
        print(_line(row), flush=True)
    for row in rows:
        for fault in row.total.faults:
            print(f"{row.fault.name}: {fault}")
        for seed, folder in row.failed.items():
            print(f"  repeat it: make chaos ONLY={row.fault.name} SEED={seed} TRIES=1    logs: {folder}")
    wrong = any(row.failed for row in rows)
    tries, seconds = sum(row.tries for row in rows), time.monotonic() - began
    print(f"{tries} tries in {seconds:.0f} s: {'something is wrong' if wrong else 'nothing is wrong'}")
    return int(wrong)


def _line(row: Row) -> str:
    total = row.total
    return (
        f"{row.fault.name:<46}{row.tries:>6}{total.lost:>6}{total.duplicated:>12}{total.wrong:>7}"
        f"{len(total.faults):>7}{total.stall:>13.1f} s{row.fault.limit:>5.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
