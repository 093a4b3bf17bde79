"""One run of several processes that train together: rank 0 records, the others do not."""
