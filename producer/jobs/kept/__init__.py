"""What a client keeps of a job on its machine: the order, what was sent, and the journal of answers."""
