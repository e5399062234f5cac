"""What programs read: the JSON that commands print, that the HTTP server sends, and that reports and rows consist of.

Each form is a class. Its objects become JSON, and the class itself a JSON Schema, so the two cannot differ.
"""
