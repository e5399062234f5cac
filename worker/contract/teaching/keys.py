"""The names of everything that Redis keeps about teaching. No other module spells them.

digitmill:teaching-inbox    hash     SHA-256 of an image → its new label (`LabelChange`), for the trainer to settle
digitmill:taught            hash     SHA-256 of an image → its label, name and age (`LabelChange`): the account
digitmill:taught-held       hash     the same, with pixels, for images that the trainer holds back
digitmill:taught-changes    integer  changes of that account so far; a training reports it when it reads the folder
digitmill:taught-keeper     string   identity of the folder that keeps the taught images; expires unless renewed
"""

INBOX = "digitmill:teaching-inbox"
TAUGHT = "digitmill:taught"
HELD = "digitmill:taught-held"
CHANGES = "digitmill:taught-changes"
KEEPER = "digitmill:taught-keeper"
