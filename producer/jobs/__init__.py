"""Jobs: sending batches, gathering answers, the journal."""
