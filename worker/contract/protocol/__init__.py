"""The protocol of Redis, where redis-py takes too many steps: frequent commands, and large replies."""
