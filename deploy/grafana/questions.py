"""The questions that the dashboard answers, from top to bottom, each with its panels.

Levels of skill, coverage and bias lie outside of what full 7-day windows of zones 1 and 2 showed on the last fifth of
the year (skill above 3 %, coverage 78 to 99 %, bias within 67 % of the RMSE); zone 3, whose load fell to another level
there, crosses those of skill and coverage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import dashed, figure, lines, texts
from shared.forecasting.leads import NOMINAL_MINUTES, lead_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from grafana_foundation_sdk.builders import stat, timeseries

    from deploy.grafana.panels import Query

    Panels = Iterator[stat.Panel | timeseries.Panel]

__all__ = ["QUESTIONS", "reports_link"]

REPORTS_URL = "http://127.0.0.1:8003/reports/"

LEADS: dict[int, str] = {
    # the lead of a group that the step of a site does not allow is a longer one, which the metric says
    minutes: "{{scored_minutes}} min" if minutes < 60 else lead_name(minutes)
    for minutes in NOMINAL_MINUTES
}
SERVICES = '{job=~"ingestor|forecaster|monitor|gateway"}'
SITE = '{site=~"$site"}'
ZONE = '{site=~"$site", zone=~"$zone"}'
MEASURED = "Zones 1 and 2 stayed in the green over the last fifth of 2017."
PARTIAL = "In the first week after a start the window is shorter and the figure swings."


def reports_link() -> builders.DashboardLink:
    """Return the link to the monitor's page of drift reports."""
    return (
        builders.DashboardLink("Drift reports")
        .type(models.DashboardLinkType.LINK)
        .icon("external link")
        .url(REPORTS_URL)
        .target_blank(target_blank=True)
    )


def _per_lead(expr: str, legend: str) -> list[Query]:
    """Return the query once a lead group; ``LEAD`` in the expression becomes the selector, in the legend its name."""
    return [
        (
            expr.replace("LEAD", f'{{site=~"$site", zone=~"$zone", lead_minutes="{lead}", window_days="7"}}'),
            legend.replace("LEAD", name),
        )
        for lead, name in LEADS.items()
    ]


def _in_30_min(counter: str) -> str:
    """Return by how much each series has grown; one that began within that time began at 0, not at its first scrape."""
    return f"({counter} unless {counter} offset 30m) or increase({counter}[30m])"


def _alive() -> Panels:
    yield texts(
        figure(
            "Services",
            "Whether Prometheus reaches each service. DOWN: look at its log (`docker compose logs SERVICE`); where it "
            "ended, its last line says why. A service without a figure was never started.",
            "none",
            [(f"up{SERVICES}", "{{job}}")],
            width=8,
            steps=[(None, "red"), (1, "green")],
        ),
        {"0": ("DOWN", "red"), "1": ("up", "green")},
    )
    yield texts(
        figure(
            "Kafka as each service sees it",
            "AWAY in all: the broker is down or unreachable: start it; the services wait and go on by themselves. AWAY "
            "in one: check that service's TETOUAN_KAFKA_BOOTSTRAP and its network.",
            "none",
            [("tetouan_broker_up", "{{job}}")],
            width=8,
            steps=[(None, "red"), (1, "green")],
        ),
        {"0": ("AWAY", "red"), "1": ("answers", "green")},
    )
    yield figure(
        "Restarts in the last hour",
        "Red: the service dies and is started again: read the last line of its log before each start. No reading is "
        "lost: it goes on from its committed offsets.",
        "none",
        [(f"sum by (job) (changes(process_start_time_seconds{SERVICES}[1h]))", "{{job}}")],
        width=8,
        steps=[(None, "green"), (1, "yellow"), (3, "red")],
    )
    yield figure(
        "Stream clock (event time)",
        "Time of the last clean reading. Live it is the last step of the meter; a replay runs through its own year, "
        "and every line on this page is drawn at the wall time of its scrape. Where it stands still, the sender is "
        "silent or refused: see the figures beside it.",
        "dateTimeAsIso",
        [(f"1000 * max by (site) (tetouan_reading_timestamp_seconds{SITE})", "{{site}}")],
        width=6,
    )
    accepted = _in_30_min(f"tetouan_accepted_readings_total{SITE}")
    yield figure(
        "Clean readings in the last 30 minutes",
        "Red: none came for three steps of a meter. With ingestor and Kafka green above, the sender is silent: call "
        "the meter gateway or start the replay. With records refused, see the dead letters.",
        "short",
        [(f"sum by (site) ({accepted}) or on () vector(0)", "{{site}}")],
        width=6,
        steps=[(None, "red"), (0.5, "green")],
    )
    issued = _in_30_min(f"tetouan_forecasts_total{ZONE}")
    answered = f"sum by (site, zone) ({issued}) / on (site) group_left () sum by (site) ({accepted})"
    yield figure(
        "Forecasts per clean reading, last 30 minutes",
        "100 %, and more while the forecaster catches up. Red: readings stay without a forecast: see whether the "
        "forecaster is up and how far it lags; its /readyz (port 8002) says what it waits for.",
        "percentunit",
        [(f"{answered} or on () 0 * sum by (site) ({accepted})", "zone {{zone}}")],
        width=6,
        steps=[(None, "red"), (0.5, "yellow"), (0.95, "green")],
    )
    refused = _in_30_min('tetouan_dead_letters_total{job="ingestor"}')
    consumed = _in_30_min('tetouan_consumed_records_total{job="ingestor"}')
    yield figure(
        "Raw records refused, last 30 minutes",
        "Share of the raw records that became dead letters. Red: format, clock or site name of the sender is wrong: "
        "the panel of dead letters says the reason, `tetouan watch rejected` shows the records.",
        "percentunit",
        [(f"(sum({refused}) or vector(0)) / sum({consumed})", "refused")],
        width=6,
        steps=[(None, "green"), (0.01, "yellow"), (0.1, "red")],
    )
    yield lines(
        "Readings and forecasts a second",
        "What goes through. A live meter sends one reading in ten minutes, so single spikes are right there; a replay "
        "shows its pace. Forecasts below readings times zones for long: the forecaster is too slow or stands.",
        "suffix: /s",
        [
            (f"sum by (site) (rate(tetouan_accepted_readings_total{SITE}[$__rate_interval]))", "{{site}} readings"),
            (f"sum by (site) (rate(tetouan_merged_readings_total{SITE}[$__rate_interval]))", "{{site}} repeated"),
            (f"sum by (site) (rate(tetouan_forecasts_total{SITE}[$__rate_interval]))", "{{site}} forecasts"),
        ],
        width=8,
    )
    yield lines(
        "Consumer lag",
        "Records not consumed yet; the levels are a day and a week of readings. Above red and growing: the service "
        "does not keep up: see its batches and CPU below, and its log. Above red and shrinking: it catches up, wait. A "
        "replay without limit (TETOUAN_MAX_LAG=0) may run thousands ahead.",
        "short",
        [("sum by (job) (tetouan_consumer_lag_records)", "{{job}}")],
        width=8,
        steps=[(None, "green"), (144, "yellow"), (1008, "red")],
    )
    yield lines(
        "Dead letters since the start of each service",
        "Every step up is a record that was refused, kept with its bytes on readings.rejected.v1. A line that climbs: "
        "read `tetouan watch rejected`, mend the sender, and send the records again.",
        "short",
        [("sum by (job, reason) (tetouan_dead_letters_total)", "{{job}} {{reason}}")],
        width=8,
    ).no_value("none")


def _demand() -> Panels:
    ahead = {lead: name for lead, name in LEADS.items() if lead != 360}
    panel = lines(
        "Load and forecast, zone $zone",
        "The last load beside the newest forecasts, each drawn when it came: the 24 h line shows what the load will be "
        "a day of event time later. A flat load while the stream clock moves: the meter is stuck or its values are "
        "refused: see the flagged values below, and go by the forecast.",
        "kwatt",
        [
            ('tetouan_reading_value{site=~"$site", field=~"zone_${zone}_kw"}', "{{site}}, load"),
            *(
                (
                    f'tetouan_forecast_demand_kw{{site=~"$site", zone=~"$zone", lead_minutes="{lead}"}}',
                    f"{{{{site}}}}, in {name}",
                )
                for lead, name in ahead.items()
            ),
        ],
        width=24,
    )
    yield dashed(panel, "/, in /").height(10).repeat("zone").repeat_direction("h").max_per_row(2)


def _quality() -> Panels:
    yield lines(
        "Skill against the same time yesterday, 7 days",
        "1 - RMSE / RMSE of yesterday's load: 100 % is perfect. Red, below 0: yesterday's load is the better forecast: "
        "go by that, look for an open drift event and a broken meter below, and retrain with `tetouan train`. "
        f"{MEASURED} {PARTIAL}",
        "percentunit",
        _per_lead("tetouan_forecast_skill_ratioLEAD", "zone {{zone}}, LEAD"),
        width=8,
        steps=[(None, "red"), (0, "green")],
    ).max(1)
    error = lines(
        "RMSE, 7 days, beside that of the same time yesterday (dashed)",
        "The error in kW, dashed that of yesterday's load over the same pairs. A line that meets its dashed one has "
        "lost its skill: see there what to do. Both rise together: the load itself is unusual (holiday, outage).",
        "kwatt",
        _per_lead("tetouan_forecast_rmse_kwLEAD", "zone {{zone}}, LEAD")
        + _per_lead(
            "tetouan_forecast_rmse_kwLEAD / (1 - tetouan_forecast_skill_ratioLEAD)", "zone {{zone}}, LEAD, yesterday"
        ),
        width=16,
    )
    yield dashed(error, "/yesterday/").min(0)
    yield lines(
        "Coverage of the 90 % interval, 7 days",
        "Share of the loads inside the interval: 90 % is right. Red: it is too narrow to plan reserves by: add margin "
        "by hand, and look for drift. Yellow at the top: it is far too wide, and reserves cost too much. "
        f"{MEASURED} {PARTIAL}",
        "percentunit",
        _per_lead("tetouan_forecast_coverage_ratioLEAD", "zone {{zone}}, LEAD"),
        width=8,
        steps=[(None, "red"), (0.7, "yellow"), (0.78, "green"), (0.995, "yellow")],
    ).max(1)
    bias = lines(
        "Bias as a share of the RMSE, 7 days",
        "Mean of forecast less load over the RMSE: above 0 the forecast is too high. Red: nearly all of the error is "
        "one-sided: a load was switched or a meter changed: correct by hand, look for drift, and retrain with "
        f"`tetouan train`. {MEASURED} {PARTIAL}",
        "percentunit",
        _per_lead("tetouan_forecast_bias_kwLEAD / tetouan_forecast_rmse_kwLEAD", "zone {{zone}}, LEAD"),
        width=8,
        steps=[(None, "red"), (-0.85, "yellow"), (-0.7, "green"), (0.7, "yellow"), (0.85, "red")],
    )
    yield bias.min(-1).max(1)
    issued = _in_30_min(f"tetouan_forecasts_total{ZONE}")
    levels = lines(
        "Forecasts by fallback level, 30 minutes",
        "`adapted` is the best; below it come frozen, weather, analogue and climatology. Where another takes over, the "
        "readings are missing or refused: mend the meter; meanwhile forecasts go on with a wider interval.",
        "percentunit",
        [
            (
                f"sum by (site, zone, level) ({issued}) / on (site, zone) group_left () sum by (site, zone) ({issued})",
                "zone {{zone}}, {{level}}",
            )
        ],
        width=8,
    )
    yield levels.min(0).max(1)
    yield figure(
        "Models in force",
        "Name and version of each model that the forecaster runs, as in the registry. None: the forecaster waits for "
        "`tetouan train`; its /readyz (port 8002) says which.",
        "none",
        [("tetouan_model_info == 1", "{{model}}, version {{version}}")],
        width=24,
    ).text_mode(common.BigValueTextMode.NAME)


def _drift() -> Panels:
    yield figure(
        "Open drift events",
        "Events that last. Yellow: the forecast errs otherwise than it did: look at it today: load beside forecast "
        "above, then the flagged values, then the drift reports (link). A meter or a switched load explains it: mend "
        "it. Nothing does: the load has changed: retrain with `tetouan train`. `tetouan watch drift` has the details.",
        "none",
        [(f"sum by (zone, severity) (tetouan_drift_open_events{ZONE})", "zone {{zone}}, {{severity}}")],
        width=6,
        steps=[(None, "green"), (1, "yellow")],
    ).height(8)
    yield lines(
        "Detector score over its threshold",
        "How near each detector is to an event. Red, from 1 on: it has found a change: see the open events beside it. "
        "Below 1 there is nothing to do.",
        "none",
        [(f"tetouan_drift_score_ratio{ZONE}", "zone {{zone}}, {{detector}}")],
        width=6,
        steps=[(None, "green"), (1, "red")],
    ).min(0)
    yield lines(
        "Error of the 1 h forecast, last hour",
        "Load less forecast in the standard deviations that the forecast was issued with. Far from 0 to one side for "
        "hours: the load or its meter has changed: compare with the meters of the other zones, and correct by hand.",
        "suffix: sd",
        [(f"tetouan_forecast_standardised_error{ZONE}", "zone {{zone}}")],
        width=6,
    )
    yield lines(
        "Flagged values since the start of the ingestor",
        "Values that were missing, impossible or stuck. A line that climbs: that sensor is broken or its line is cut: "
        "mend it; forecasts go on without the value.",
        "short",
        [("sum by (field, flag) (tetouan_flagged_values_total)", "{{field}}, {{flag}}")],
        width=6,
    ).no_value("none")
    yield from _comparison()


def _comparison() -> Panels:
    """Yield the reports' textbook figures: most of the time in alarm on undrifted data, and so without levels."""
    window = "zone {{zone}}, {{window_days}} d"
    yield (
        lines(
            "Report: share of drifted columns",
            "For comparison with the textbook rule, Wasserstein distance to the training above 0.1, which season alone "
            "sets off nearly always: never a reason to act by itself. Open the report (link) to see which columns.",
            "percentunit",
            [(f"tetouan_report_drift_share_ratio{ZONE}", window)],
            width=6,
        )
        .min(0)
        .max(1)
        .links([reports_link()])
    )
    yield (
        lines(
            "Report: distance of each column to the training",
            "Wasserstein distance in standard deviations of the training. With a drift event open, the column that "
            "stands out is where to look: a load (its meter), weather (its sensor). Without one it is the season.",
            "none",
            [(f"tetouan_report_drift_score{ZONE}", f"{window}, {{{{column}}}}")],
            width=6,
        )
        .min(0)
        .links([reports_link()])
    )
    changes = {
        lead: f'tetouan_report_rmse_change_ratio{{site=~"$site", zone=~"$zone", lead_minutes="{lead}"}}'
        for lead in (60, 1440)
    }
    yield lines(
        "Report: RMSE relative to the training",
        "Window over training, less 1. The textbook rule of 10 % is in alarm about a third of the time without any "
        "fault, so it has no level here. Far above for days while the skill falls: retrain with `tetouan train`.",
        "percentunit",
        [(expr, f"{window}, {LEADS[lead]}") for lead, expr in changes.items()],
        width=6,
    ).links([reports_link()])
    yield lines(
        "Report: age",
        "Event time since the end of the window of the last report. Red, two days without one of the daily reports: "
        "the log of the monitor says why (`docker compose logs monitor`), or a fast replay left no time for it. "
        "Forecasts, scores and drift events do not depend on it.",
        "s",
        [(f"tetouan_report_age_seconds{ZONE}", window)],
        width=6,
        steps=[(None, "green"), (93600, "yellow"), (172800, "red")],
    ).links([reports_link()])


def _speed() -> Panels:
    bucket = "sum by (job, le) (rate(tetouan_batch_duration_seconds_bucket[$__rate_interval]))"
    yield lines(
        "Batch, from hand to commit",
        "Median and 99th percentile of the time from a batch in hand to its offsets committed. Red: Kafka confirms "
        "slowly, or the machine is short of CPU: compare with the step and the CPU beside it.",
        "s",
        [
            (f"histogram_quantile(0.5, {bucket})", "{{job}}, median"),
            (f"histogram_quantile(0.99, {bucket})", "{{job}}, 99 %"),
        ],
        width=6,
        steps=[(None, "green"), (1, "yellow"), (5, "red")],
    )
    total, count, buckets = (
        f"rate(tetouan_forecast_step_seconds_{part}[$__rate_interval])" for part in ("sum", "count", "bucket")
    )
    yield lines(
        "Step of the forecaster",
        "Time to fold one reading and forecast all leads of all zones, averaged over a batch: mean and 99th "
        "percentile over batches. Red: something else takes the CPU of this machine: stop it, or slow the replay.",
        "s",
        [
            (f"sum({total}) / sum({count})", "mean"),
            (f"histogram_quantile(0.99, sum by (le) ({buckets}))", "99 %"),
        ],
        width=6,
        steps=[(None, "green"), (0.05, "yellow"), (0.1, "red")],
    )
    cpu = lines(
        "CPU",
        "Cores in use; a service uses one at most. Red: it is at its limit, and its lag grows unless the stream slows: "
        "slow the replay, or give the sites to more replicas.",
        "percentunit",
        [("sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}}")],
        width=6,
        steps=[(None, "green"), (0.8, "yellow"), (0.95, "red")],
    )
    yield cpu.min(0)
    memory = lines(
        "Memory",
        "Resident memory. Red, or climbing for hours: a leak: restart that service, it goes on where it was, and "
        "report it with this graph.",
        "bytes",
        [("sum by (job) (process_resident_memory_bytes)", "{{job}}")],
        width=6,
        steps=[(None, "green"), (1e9, "yellow"), (2e9, "red")],
    )
    yield memory.min(0)


def _answers() -> Panels:
    yield lines(
        "Rows written to the history",
        "By table, those of repeated records too. None while readings come: see the lag beside it, and `/readyz` "
        "of the gateway.",
        "suffix: /s",
        [("sum by (table) (rate(tetouan_history_rows_total[$__rate_interval]))", "{{table}}")],
        width=8,
    )
    behind = "max(tetouan_reading_timestamp_seconds) - max(tetouan_history_newest_reading_timestamp_seconds > 0)"
    yield lines(
        "History behind the stream",
        "Event time from the newest reading in the history to the newest clean one. Red and growing: the database is "
        "away or slow: `/readyz` of the gateway (port 8000) says which. Shrinking: it catches up, wait.",
        "s",
        [(behind, "behind")],
        width=8,
        steps=[(None, "green"), (86_400, "yellow"), (604_800, "red")],
    )
    written = "sum by (le) (rate(tetouan_history_write_seconds_bucket[$__rate_interval]))"
    yield lines(
        "Transactions of the history",
        "95th percentile of their time, and how many failed a second as the database was away. Red: the disk or the "
        "database is slow: see what else uses it.",
        "s",
        [
            (f"histogram_quantile(0.95, {written})", "95 %"),
            ("sum(rate(tetouan_history_retries_total[$__rate_interval]))", "done again, /s"),
        ],
        width=8,
        steps=[(None, "green"), (1, "yellow"), (5, "red")],
    )
    buckets = "sum by (route, le) (rate(tetouan_http_request_duration_seconds_bucket[$__rate_interval]))"
    yield lines(
        "HTTP requests by route, 95th percentile",
        "From a request to the start of its answer. Red: long ranges are asked for, or the machine is short of CPU: "
        "ask for less at once, or start another replica.",
        "s",
        [(f"histogram_quantile(0.95, {buckets})", "{{route}}")],
        width=8,
        steps=[(None, "green"), (0.2, "yellow"), (1, "red")],
    )
    yield lines(
        "HTTP answers by status",
        "Requests a second. 401 and 403: a client without a good key; 422: one that asks wrongly, its answer says "
        "how; 429: one that asks too often; 503: the database, the registry or a model is away; 500: report what the "
        "log of the gateway says.",
        "suffix: /s",
        [("sum by (status) (rate(tetouan_http_requests_total[$__rate_interval]))", "{{status}}")],
        width=8,
    )
    yield figure(
        "Open live streams",
        "Clients of the live stream at each replica. Red: near the 1000 that one takes: start another replica.",
        "none",
        [("tetouan_live_subscribers", "{{instance}}")],
        width=4,
        steps=[(None, "green"), (800, "yellow"), (950, "red")],
    )
    ended = _in_30_min("tetouan_live_streams_ended_total")
    yield figure(
        "Streams that the gateway ended, 30 minutes",
        "By reason. Yellow, slow and stalled: a client does not take what it asks for: have it ask for fewer topics or "
        "sites. `revoked`: its key; `stopping`: a gateway was stopped.",
        "none",
        [(f"sum by (reason) ({ended})", "{{reason}}")],
        width=4,
        steps=[(None, "green"), (1, "yellow")],
    ).no_value("none")
    yield lines(
        "Values written to OPC UA nodes",
        "At each replica; none where `TETOUAN_OPCUA_PORT` is not set. None while forecasts come: see `/readyz` of the "
        "gateway. Skipped: events that no value was made of, as they could not be read or were no longer in memory.",
        "suffix: /s",
        [
            ("sum by (instance) (rate(tetouan_opcua_values_total[$__rate_interval]))", "{{instance}}"),
            ("sum by (reason) (rate(tetouan_opcua_skipped_events_total[$__rate_interval]))", "skipped: {{reason}}"),
        ],
        width=8,
    )
    yield figure(
        "OPC UA clients",
        "Open connections at each replica. Red: near the 100 that one takes: close those that nobody needs.",
        "none",
        [("tetouan_opcua_clients", "{{instance}}")],
        width=4,
        steps=[(None, "green"), (80, "yellow"), (95, "red")],
    )
    yield figure(
        "Zones without OPC UA nodes",
        "Red: more zones have forecasts than `TETOUAN_OPCUA_MAX_ZONES`: raise it; each zone takes 0.2 MB.",
        "none",
        [("max(tetouan_opcua_left_out_zones)", "zones")],
        width=4,
        steps=[(None, "green"), (1, "red")],
    )
    cut_off = _in_30_min("tetouan_opcua_cut_off_clients_total")
    yield figure(
        "OPC UA clients cut off, 30 minutes",
        "Clients that asked and did not take the answers. Yellow: look at that client, or at the network before it.",
        "none",
        [(f"sum({cut_off})", "clients")],
        width=8,
        steps=[(None, "green"), (1, "yellow")],
    ).no_value("none")


QUESTIONS: dict[str, Callable[[], Panels]] = {
    "Is it alive?": _alive,
    "What is the load, and what comes?": _demand,
    "How good is the forecast?": _quality,
    "Is anything drifting?": _drift,
    "How fast is it?": _speed,
    "Does the gateway keep and answer?": _answers,
}
