"""Speed and accuracy, each a table and a JSON file."""
