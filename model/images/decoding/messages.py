"""What a process and the helper that decodes for it say to each other, through two pipes."""

import struct

REQUEST = struct.Struct(">I")
"""Header of a request: the number of bytes of the file, which follow."""

REPLY = struct.Struct(">?HHH")
"""Header of a reply: whether the helper ends now; height and width of the picture; and number of bytes of the failure.

The pixels follow, uint8 (height, width), or the failure: its code, a line feed, and its sentence in UTF-8. So either
height and width or the number of bytes are 0."""
