"""From the bytes of an image file to one grey picture of bounded size, within a budget of time and memory."""
