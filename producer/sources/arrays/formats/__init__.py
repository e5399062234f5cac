"""Reading each format of array files."""
