"""The cards of a report: the images that people should look at, as data for the script of the page."""
