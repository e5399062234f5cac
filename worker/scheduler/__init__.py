"""The scheduler: asks for trainings by the clock. It keeps nothing on disk, and any number of them ask only once."""
