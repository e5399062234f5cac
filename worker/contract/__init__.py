"""All that the producer may import from the worker: wire format, ledger, registry, trainings, teaching, doorbell."""
