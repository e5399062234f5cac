"""Validation: what an identifier may be, how large a record may be, and what a damaged record means."""
