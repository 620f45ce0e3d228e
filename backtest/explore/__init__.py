"""What a file of readings holds, before anything is fitted on it: one page, and the same for machines."""
