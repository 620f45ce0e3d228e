"""The wiring of the gateway: what stands on the topics in, rows of the history out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.gateway.api.predict import Estimating
from services.gateway.api.routers import FAILURES, rest_routers
from services.gateway.api.routes import Everything
from services.gateway.database import Database, url_of
from services.gateway.decoding import CONSUMES, UndecodableError, row_of, site_rows
from services.gateway.http.application import application
from services.gateway.http.doors import doors_of
from services.gateway.http.key_store import KeyStore
from services.gateway.http.metrics import HttpMetrics
from services.gateway.live.follower import Follower
from services.gateway.live.hub import Hub
from services.gateway.live.metrics import LiveMetrics
from services.gateway.live.past import Past
from services.gateway.live.stream import StreamLimits, Streams, stream_router
from services.gateway.metrics import HistoryMetrics
from services.gateway.opcua.metrics import OpcUaMetrics
from services.gateway.page.day import Days
from services.gateway.page.routes import page_routers
from services.gateway.queries import History
from services.gateway.registered_metrics import RegisteredMetrics
from services.gateway.retention import Retention
from services.gateway.storing import Store, Stored
from services.gateway.weather_models import WeatherModels, heeded
from services.gateway.writing import Row
from shared.contracts import topics
from shared.runtime.asked_registry import AskedRegistry
from shared.runtime.clock import now
from shared.runtime.extras import lacking_opcua
from shared.runtime.health import Health
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from shared.runtime.service import Service
from shared.runtime.settings import PREFIX, Refused
from shared.runtime.site_table import served_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from services.gateway.settings import GatewaySettings
    from shared.runtime.records import Outgoing, Record

__all__ = ["HistoryCore", "build"]

MOST_RECORDS = 200  # forecasts are 6 kB, and those of a batch are packed at one go


def build(settings: GatewaySettings) -> Service[Row | Outgoing]:
    """Return the gateway: it fills the history from the topics, and goes on where the last one has committed.

    Raises ``Refused`` where the history has no place, or anybody could come in.
    """
    registry, health = new_registry(), Health()
    database = Database(url_of(settings))
    database.check_file()  # before anything listens
    metrics = HistoryMetrics(registry)
    store = Store(database, metrics, health)
    retention = Retention(store, database, settings.history_days, metrics)
    letters = DeadLetters(registry)
    live, http = LiveMetrics(registry), HttpMetrics(registry)
    hub = Hub()
    follower = Follower(settings.kafka, settings.topic_prefix, hub, live, health)
    bounds = StreamLimits(per_client=settings.http_streams_per_client)
    streams = Streams(hub, Past(settings.kafka, settings.topic_prefix), live, settings.topic_prefix, bounds)
    history = History(database.reader)
    asked_registry = AskedRegistry(settings)
    models = WeatherModels(asked_registry, heeded(settings, history.champions))
    sites = served_sites(settings, health)
    estimating = Estimating(history, models, sites)
    routers = (
        stream_router(streams),
        *rest_routers(history, estimating, RegisteredMetrics(asked_registry.metrics_of)),
        *page_routers(history, Days(history, sites, now, hub.silence_s), sites, now(), settings.replay_control),
    )
    answering = application(routers, doors_of(settings, KeyStore(database), http, store.prepared), http, FAILURES)
    opcua = _opcua(settings, hub, history, store, OpcUaMetrics(registry), health)
    return Service(
        "gateway",
        CONSUMES,
        lambda: HistoryCore(letters),
        registry,
        health,
        max_records=MOST_RECORDS,
        publishes=(topics.REJECTED,),
        companions=(store.run, retention.run, follower.run, models.run, *opcua),
        routes=(Everything("/", answering),),
        before_stop=hub.close,
        make_sender=lambda plain: Stored(plain, store, letters),
    )


def _opcua(
    settings: GatewaySettings, hub: Hub, history: History, store: Store, metrics: OpcUaMetrics, health: Health
) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
    """Return what runs the OPC UA server, if there is to be one; raises ``Refused`` where it cannot be had."""
    if settings.opcua_port is None:
        return ()
    if why := lacking_opcua("the OPC UA server"):
        raise Refused(f"{PREFIX}OPCUA_PORT={settings.opcua_port}: {why}")
    from services.gateway.opcua.serving import OpcUa  # noqa: PLC0415 - an extra, which takes a second and 40 MB

    return (OpcUa(settings, hub, history, store.prepared, metrics, health).run,)


class HistoryCore:
    """Makes rows of records; what is no message becomes a dead letter. It knows nothing of the past."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def restore(self, records: Sequence[Record]) -> None:
        """Do nothing: what was answered stands in the database."""

    def handle(self, records: Sequence[Record]) -> list[Row | Outgoing]:
        """Return a row or a dead letter for each record, and one row for each site that has readings among them."""
        answers = [self._answer(record) for record in records]
        return [*answers, *site_rows(answer for answer in answers if isinstance(answer, Row))]

    def _answer(self, record: Record) -> Row | Outgoing:
        try:
            return row_of(record)
        except UndecodableError as error:
            return self._letters.of(record, error.reason, None, error.why)
