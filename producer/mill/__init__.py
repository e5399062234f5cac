"""Finding a mill, or running one on this machine."""
