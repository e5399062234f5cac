"""Fail if the queue has become slower, compared with the ratios in ratios.json. `make bench-check` runs it.

    python benchmarks/check.py [--cores 2] [--repeat 10] [--rounds 5] [--write]

The ratio of a kind of job is the CPU time that an image takes in process, divided by what it takes all processes
through the queue. That of the ceiling is the CPU time of a known piece of work, divided by what an image takes in
process. Ratios depend on the processor, because integer instructions make inference faster and nothing else. So each
kind of processor has its own, and the check passes where ratios.json has none. `--write` replaces them; commit the file
with the change that explains it.

Other programs disturb CPU times less than images/s. But on a machine with ten times the work of its cores, the ratios
were 0.72 instead of 0.82 for raw images, and 0.38 instead of 0.32 for PNG files. So the check does not measure beside
other programs.

A ratio has become worse if its median is below the old one by more than both spreads together, and by more than 7 %.
The spread is the distance between the quartiles of the rounds.
"""

import argparse
import hashlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TypeAlias

import psutil
from machine import commit, integer_instructions, processor
from throughput import CEILING, PNG, RAW, Measured, measure

RATIOS = Path(__file__).parent / "ratios.json"
LEAST = 0.07  # of a ratio; smaller differences come and go

MAX_BUSY = 15.0  # percent of the processor's time that other programs may use

Ratio: TypeAlias = dict[str, float]
"""The median and the spread of a ratio."""


def main() -> None:
    """Measure, compare, and exit with 1 if a ratio is worse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=2, help="cores that all processes share (default 2)")
    parser.add_argument("--repeat", type=int, default=10, help="times that MNIST's test images are sent (default 10)")
    parser.add_argument("--rounds", type=int, default=5, help="times that everything is measured (default 5)")
    parser.add_argument("--write", action="store_true", help="write the ratios of this machine into ratios.json")
    arguments = parser.parse_args()

    busy = psutil.cpu_percent(interval=2)
    if busy > MAX_BUSY:
        sys.exit(f"Other programs use {busy:.0f} % of this machine, so the ratios would mean nothing. Stop them first.")
    machine = f"{processor()}, {integer_instructions() or 'unknown instructions'}, {arguments.cores} cores"
    kept = json.loads(RATIOS.read_text(encoding="utf-8")) if RATIOS.exists() else {}
    before_all = hashing()
    measured = measure(arguments.cores, arguments.rounds, repeat=arguments.repeat, with_keras=False)
    now = ratios(measured, statistics.mean([before_all, hashing()]))
    before = kept.get(machine, {}).get("ratios", {})
    worse = [name for name, ratio in now.items() if name in before and is_worse(before[name], ratio)]
    print(f"{machine}; before at commit {kept.get(machine, {}).get('commit', '(none)')}")
    for name, ratio in now.items():
        old = f"{before[name]['median']:.3f} ± {before[name]['spread']:.3f}" if name in before else "not known"
        print(f"{name:<12} {ratio['median']:.3f} ± {ratio['spread']:.3f}, before {old}{'  WORSE' * (name in worse)}")
    if arguments.write:
        kept[machine] = {"commit": commit(), "ratios": now}
        RATIOS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    elif worse:
        sys.exit("The queue has become slower. Find out why, or explain it in the change and run this with --write.")


def ratios(measured: Measured, reference: float) -> dict[str, Ratio]:
    """Return the ratio of each line.

    Args:
        measured: What the rounds measured.
        reference: CPU time of `hashing`, s.
    """
    totals = {name: [sum(cost.values()) for cost in costs] for name, costs in measured.costs.items()}
    return {CEILING: summary([reference / alone for alone in totals[CEILING]])} | {
        name: summary([alone / queued for alone, queued in zip(totals[CEILING], totals[name], strict=True)])
        for name in (RAW, PNG)
    }


def hashing() -> float:
    """Return the CPU time of a known piece of work, s: SHA-256 of 16 KiB."""
    block, times = bytes(2**14), []
    for _ in range(20):
        started = time.process_time()
        for _ in range(200):
            hashlib.sha256(block).digest()
        times.append((time.process_time() - started) / 200)
    return statistics.median(times)


def summary(values: list[float]) -> Ratio:
    """Return the median and the spread of the ratios of the rounds."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": round(median, 4), "spread": round(high - low, 4)}


def is_worse(before: Ratio, now: Ratio) -> bool:
    """Return whether a ratio has fallen by more than noise."""
    noise = max(before["spread"] + now["spread"], LEAST * before["median"])
    return now["median"] < before["median"] - noise


if __name__ == "__main__":
    main()
