"""The names of everything that is kept in Redis about teaching. No other module spells one.

digitmill:teaching-inbox    hash     SHA-256 of an image → what is to become of it (`LabelChange`); for the trainer to settle
digitmill:taught            hash     SHA-256 of an image → its label, name and age (`LabelChange`): the trainer's account
digitmill:taught-changes    integer  changes of that account so far; a training notes it when it reads the folder
digitmill:taught-keeper     string   the folder of the trainer that keeps what is taught; expires unless renewed
"""

INBOX = "digitmill:teaching-inbox"
TAUGHT = "digitmill:taught"
CHANGES = "digitmill:taught-changes"
KEEPER = "digitmill:taught-keeper"
