"""The number format in which a training multiplies.

bfloat16 has the range of float32 and 8 bits of its 24. Some processors multiply it several times as fast as float32.
Weights, sums and logits stay in float32, as in P. Micikevicius et al., "Mixed Precision Training",
https://arxiv.org/abs/1710.03740, but without a scaling of the loss, because the range is the same. The result, which is
the averaged network, computes in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

FULL, MIXED = "float32", "mixed_bfloat16"

_FLAG = "amx_bf16"
"""Linux's name of a processor's instructions for matrices of bfloat16.

Processors without them multiply bfloat16 slower than float32 (EXPERIMENTS.md, 2026-11-23)."""


def fastest(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the policy of Keras, `MIXED` or `FULL`, in which this machine trains fastest.

    Args:
        cpuinfo: File in which Linux describes the processors. Without it, the answer is `FULL`.
    """
    try:
        return MIXED if _FLAG in cpuinfo.read_text(encoding="utf-8").split() else FULL
    except OSError:
        return FULL


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Let the layers that are built inside this context compute in a policy of Keras."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
