"""What stands on the topics in, a database of the history and answers over HTTP out."""
