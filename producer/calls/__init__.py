"""Single images from programs: a client that sends them through the lane, and what it returns.

The modules are imported one by one, because a command needs few of them.
"""
