"""The comparison with other algorithms."""
