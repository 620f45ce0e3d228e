"""What is raised where data cannot be used."""

__all__ = ["DataError"]


class DataError(Exception):
    """The data cannot be used; the message is one line that says what to change."""
