"""What runs the services beside each other: configuration, and the code that writes it."""
