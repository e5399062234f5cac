"""Files of arrays: NumPy, IDX, tables of pixels and Parquet, and how their numbers become images.

People save digits in many forms: inverted, 0 to 1, flattened, standardised, with labels of several kinds. A form is
recognised from a sample of the file's images, once for each file and before a job exists. The decision is a value
(`Form`), which the order of a job keeps, so a job that is resumed reads its file in the same way.
"""
