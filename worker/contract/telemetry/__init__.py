"""What a process says about itself to those who watch the mill: counts, and the address at which they are read."""
