"""The mill that a client uses: find it, connect to it, or run one on this machine."""
