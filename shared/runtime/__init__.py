"""The imperative shell that every service stands on; nothing else reads the wall clock."""
