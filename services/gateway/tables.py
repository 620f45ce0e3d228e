"""The tables of the history.

Times are whole seconds since 1970 in UTC, and their columns end in ``_s``. What only is handed on stands as JSON text,
or packed. A row is the newest message of its key, so that a message that comes again changes nothing.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text

__all__ = [
    "API_KEYS",
    "DEAD_LETTERS",
    "DRIFT_EVENTS",
    "FORECASTS",
    "LONGEST_KEY_BYTES",
    "LONGEST_SITE_BYTES",
    "METADATA",
    "MODEL_EVENTS",
    "READINGS",
    "ROLLING",
    "SCORES",
    "SITES",
]

ROLLING = "rolling"
"""The product of the forecasts that come with every reading."""

LONGEST_SITE_BYTES = 500
LONGEST_KEY_BYTES = 800
"""Of any other text in a key, such as a name that begins with that of the site. A row of an index of PostgreSQL takes
2,704 bytes; no row has more than a site and two other texts."""

METADATA = MetaData()


def _key(name: str, kind: type[Text | Integer | BigInteger]) -> Column[str | int]:
    return Column(name, kind, primary_key=True, autoincrement=False)


READINGS = Table(
    "readings",
    METADATA,
    _key("site", Text),
    _key("time_s", BigInteger),
    Column("step_minutes", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("values_json", Text, nullable=False),
    Column("flags_json", Text),
)
"""Clean readings, of each time that of the highest revision; ``flags_json`` is null where no value has a flag."""

FORECASTS = Table(
    "forecasts",
    METADATA,
    _key("site", Text),
    _key("zone", Integer),
    _key("origin_s", BigInteger),
    _key("product", Text),
    Column("step_minutes", Integer, nullable=False),
    Column("leads_json", Text),
    Column("arrays", LargeBinary, nullable=False),
    Column("coverages_json", Text, nullable=False),
    Column("levels_json", Text, nullable=False),
    Column("notes_json", Text),
    Column("moved_json", Text),
    Column("weather_estimate_kw", Float(53)),
    Column("weather_model_kw", Float(53)),
    Column("demand_model", Text),
    Column("weather_model", Text),
    # of what retention has not thinned yet, so that it need not look at all the rest
    Index(
        "whole_forecasts",
        "site",
        "origin_s",
        sqlite_where=Column("leads_json").is_(None),
        postgresql_where=Column("leads_json").is_(None),
    ),
)
"""Forecasts, one row an origin, zone and product.

``arrays`` is what ``packing.packed`` makes of the median and of low and high of each interval, in the order of
``coverages_json``; ``leads_json`` names the leads of their columns, and is null where these are 1, 2, 3 and so on.
``notes_json`` and ``moved_json`` are null where there is nothing to say.
"""

SCORES = Table(
    "scores",
    METADATA,
    _key("site", Text),
    _key("zone", Integer),
    _key("time_s", BigInteger),
    Column("payload", LargeBinary, nullable=False),
)
"""Scores of an hour; ``payload`` is the list of them as JSON, compressed by zlib."""

DRIFT_EVENTS = Table(
    "drift_events",
    METADATA,
    _key("id", Text),
    Column("site", Text, nullable=False),
    Column("zone", Integer),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("started_s", BigInteger, nullable=False),
    Column("ended_s", BigInteger),
    Column("payload_json", Text, nullable=False),
    Column("sent_ms", BigInteger, nullable=False),
    Column("topic_offset", BigInteger, nullable=False),
    Index("drift_events_of_a_site", "site", "started_s"),
)
"""Drift events, each as its last message tells it; ``payload_json`` is the whole message.

The last one is that of the highest ``sent_ms``, and then of ``topic_offset``: offsets begin anew with a topic.
"""

MODEL_EVENTS = Table(
    "model_events",
    METADATA,
    _key("site", Text),
    _key("zone", Integer),
    _key("model", Text),
    _key("version", Text),
    _key("role", Text),
    _key("change", Text),
    _key("origin_s", BigInteger),
    Column("payload_json", Text, nullable=False),
    Column("sent_ms", BigInteger, nullable=False),
    Column("topic_offset", BigInteger, nullable=False),
    Index("model_events_of_a_zone", "site", "zone", "origin_s"),
)
"""Changes of models; ``version`` is empty where a zone runs without a registered one.

The order of those with one origin is that of ``sent_ms``, when the message was sent, and then of ``topic_offset``.
"""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    _key("topic", Text),
    _key("partition", Integer),
    _key("offset", BigInteger),
    Column("site", Text),
    Column("reason", Text, nullable=False),
    Column("field", Text),
    Column("received_s", BigInteger, nullable=False),
    Index("dead_letters_of_a_site", "site", "received_s"),
)
"""Records that were refused, by where the original stands, which several services may refuse; to be counted."""

SITES = Table(
    "sites",
    METADATA,
    _key("site", Text),
    Column("step_minutes", Integer, nullable=False),
    Column("first_s", BigInteger, nullable=False),
    Column("last_s", BigInteger, nullable=False),
)
"""The sites of which there are readings, the step of the newest reading, and the times of the first and the last."""

API_KEYS = Table(
    "api_keys",
    METADATA,
    _key("id", Text),
    Column("name", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("revoked_s", BigInteger),
)
"""Keys of the API: the SHA-256 of each, when it was made, and when it was revoked."""
