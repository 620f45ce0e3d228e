"""The `tetouan` command: thin, it starts the other rooms."""
