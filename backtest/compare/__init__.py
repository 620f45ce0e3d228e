"""Other algorithms, naive rules and the stream on one task: the same readings, the same split, one row a result."""
