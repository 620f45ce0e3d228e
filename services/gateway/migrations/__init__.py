"""From one version of the tables to the next: Alembic runs what is in ``versions`` at the start of a gateway."""
