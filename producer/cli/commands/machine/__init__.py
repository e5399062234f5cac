"""Commands for whoever looks after a mill: its users in Redis, its logs, and the files on this machine."""
