"""The first version: readings, forecasts, scores, events, dead letters, sites, and the keys of the API."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "downgrade", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "readings",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("time_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("step_minutes", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("values_json", sa.Text, nullable=False),
        sa.Column("flags_json", sa.Text),
    )
    op.create_table(
        "forecasts",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("zone", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("origin_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("product", sa.Text, primary_key=True),
        sa.Column("step_minutes", sa.Integer, nullable=False),
        sa.Column("leads_json", sa.Text),
        sa.Column("arrays", sa.LargeBinary, nullable=False),
        sa.Column("coverages_json", sa.Text, nullable=False),
        sa.Column("levels_json", sa.Text, nullable=False),
        sa.Column("notes_json", sa.Text),
        sa.Column("moved_json", sa.Text),
        sa.Column("weather_estimate_kw", sa.Float(53)),
        sa.Column("weather_model_kw", sa.Float(53)),
        sa.Column("demand_model", sa.Text),
        sa.Column("weather_model", sa.Text),
    )
    whole = sa.text("leads_json IS NULL")
    op.create_index("whole_forecasts", "forecasts", ["site", "origin_s"], sqlite_where=whole, postgresql_where=whole)
    op.create_table(
        "scores",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("zone", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "drift_events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("zone", sa.Integer),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("started_s", sa.BigInteger, nullable=False),
        sa.Column("ended_s", sa.BigInteger),
        sa.Column("payload_json", sa.Text, nullable=False),
        sa.Column("sent_ms", sa.BigInteger, nullable=False),
        sa.Column("topic_offset", sa.BigInteger, nullable=False),
    )
    op.create_index("drift_events_of_a_site", "drift_events", ["site", "started_s"])
    op.create_table(
        "model_events",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("zone", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column("change", sa.Text, primary_key=True),
        sa.Column("origin_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("payload_json", sa.Text, nullable=False),
        sa.Column("sent_ms", sa.BigInteger, nullable=False),
        sa.Column("topic_offset", sa.BigInteger, nullable=False),
    )
    op.create_index("model_events_of_a_zone", "model_events", ["site", "zone", "origin_s"])
    op.create_table(
        "dead_letters",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("field", sa.Text),
        sa.Column("received_s", sa.BigInteger, nullable=False),
    )
    op.create_index("dead_letters_of_a_site", "dead_letters", ["site", "received_s"])
    op.create_table(
        "sites",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("step_minutes", sa.Integer, nullable=False),
        sa.Column("first_s", sa.BigInteger, nullable=False),
        sa.Column("last_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.Column("revoked_s", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "api_keys", "sites", "dead_letters", "model_events", "drift_events", "scores", "forecasts", "readings"
    ):  # fmt: skip
        op.drop_table(table)
