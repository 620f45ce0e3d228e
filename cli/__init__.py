"""The `tetouan` command: thin, it starts the other rooms."""

__version__ = "0.2.0"
