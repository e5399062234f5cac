"""The scheduler: asks for trainings on a schedule. It keeps no files. Any number of schedulers asks only once."""
