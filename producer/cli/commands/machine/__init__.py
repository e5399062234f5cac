"""Commands for whoever looks after a mill: how it stands, its users in Redis, its logs, and the files on this machine."""
