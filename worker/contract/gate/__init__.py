"""The gate: whether the queue as a whole is open, paused or drained."""

from worker.contract.gate.gate import Gate, GateState, QueueGate

__all__ = ["Gate", "GateState", "QueueGate"]
