"""Jobs: pack images into batches, send them, gather the answers, keep them in a journal."""
