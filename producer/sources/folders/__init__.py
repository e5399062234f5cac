"""Folders of image files: listed as a whole, or bit by bit while a job runs."""
