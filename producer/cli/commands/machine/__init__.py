"""Commands for whoever looks after a mill: how it stands, its Redis users, its logs, the files on this machine."""
