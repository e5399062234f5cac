"""The name of the record that says whether the queue is open. No other module spells it.

digitmill:gate   hash   state, and who turned it, when and why (`Gate`); it never expires
"""

GATE = "digitmill:gate"
