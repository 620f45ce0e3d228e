"""What the services say to each other: messages and topics."""
