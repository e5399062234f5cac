"""The CSV files of a report."""
