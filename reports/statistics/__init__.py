"""Pure statistics of paired yes/no results: no records, no files, nothing but numbers in and out."""
