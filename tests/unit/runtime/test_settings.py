"""The settings: read from the environment, refused in one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import services
from cli.settings import CommandSettings, HistorySettings
from services.ingestor.settings import IngestorSettings
from shared.runtime import failpoints
from shared.runtime.concerns import RegistrySettings, ServiceSettings, SiteSettings
from shared.runtime.settings import PREFIX, READERS, Refused, check_all, load, names, settings_of, unknown_variables
from shared.sites.table import BUILT_IN

if TYPE_CHECKING:
    from shared.runtime.settings import Settings


def reading(name: str) -> type[Settings]:
    """Return the settings of somebody who reads that one."""
    return next(kind for kind in map(settings_of, READERS) if name.lower() in kind.model_fields)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("HTTP_PORT", "abc", "TETOUAN_HTTP_PORT='abc'"),
        ("HTTP_PORT", "70000", "TETOUAN_HTTP_PORT='70000': give a whole number from 0 to 65535"),
        ("ZONES", "2,2", "TETOUAN_ZONES='2,2': name one or more different zones, such as 1,2"),
        ("ZONES", "0", "name one or more different zones"),
        ("ZONES", ",", "TETOUAN_ZONES=',': it names nothing: give one or more, with commas between them"),
        ("ZONES", "1,two", "TETOUAN_ZONES='1,two': give whole numbers with commas between them, such as 1,2"),
        ("SITE", "atlantis", "site 'atlantis' is not known: choose one of tetouan"),
        ("SITES", "/nowhere.toml", "TETOUAN_SITES='/nowhere.toml': No such file or directory: give the path"),
        (
            "LAG_GROUPS",
            "north",
            "consumer group 'north' reads no topic: give one of audit, forecaster, gateway, ingestor, monitor",
        ),
        ("LOG_FORMAT", "xml", "TETOUAN_LOG_FORMAT='xml': give one of console, json"),
        ("KAFKA_BOOTSTRAP", "broker:x", "give host:port, with commas between several"),
        ("DATA_URL", "load.csv", "give http:// or https://, a host and a path"),
        ("GROUP", "north east", "Kafka takes letters, digits, dots, dashes and underscores alone: use these"),
        ("MODEL_TAGS", "as_of", "'as_of' is no tag: give name=value, with commas between several"),
        ("MAX_REJECTED_SHARE", "nan", "give a number above 0 and up to 1"),
        ("OPCUA_LEADS_MINUTES", "10,10", "='10,10': name different leads from 1 to 1440 minutes, such as 10,60"),
        ("OPCUA_LEADS_MINUTES", "0", "name different leads"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    """The refusal is one line with the variable, its value and what would do."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(Refused) as refusal:
        load(reading(name))
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


WRONG = "no such value"
ANY = {
    *("kafka_username", "kafka_password", "kafka_password_file", "kafka_ca", "kafka_certificate", "kafka_key"),
    *("kafka_key_password", "data", "state_dir", "snapshots", "prior", "report_dir", "http_host"),
    "opcua_host",
}
"""Settings that are any text: what it is worth is known where it is used."""


@pytest.mark.parametrize("name", sorted(names() - ANY))
def test_a_wrong_value_of_each_setting_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One line: the variable, its value, and what to give; no words of the library that reads it."""
    monkeypatch.setenv(PREFIX + name.upper(), WRONG)
    with pytest.raises(Refused) as refusal:
        load(reading(name))
    said, told = str(refusal.value), f"{PREFIX}{name.upper()}={WRONG!r}: "
    assert said.startswith(told)
    assert re.search(r"\b(give|use|choose)\b", said.removeprefix(told))
    assert not re.search(r"[Ii]nput|valid|pars|pattern|\n", said.removeprefix(told))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ZONE", "ZONES"),
        ("STIE", "SITE"),
        ("KAFKA_BOOSTRAP", "KAFKA_BOOTSTRAP"),
        ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP"),
        ("HTTPPORT", "HTTP_PORT"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_what_looks_like_a_misspelt_setting_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """What was meant would have no effect: one line says what it may be, and no other that it is ignored."""
    monkeypatch.setenv(PREFIX + name, "x")
    with pytest.raises(Refused) as refusal:
        load(SiteSettings)
    assert str(refusal.value) == f"{PREFIX}{name} is no setting: did you mean {PREFIX}{meant}?"
    assert unknown_variables() == []


def test_who_does_not_read_a_setting_passes_it_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad value stops its reader alone, and its name is known to all: they share one environment."""
    for name in names():
        monkeypatch.setenv(PREFIX + name.upper(), "" if name in HistorySettings.model_fields else WRONG)
    load(HistorySettings)
    assert unknown_variables() == []


@pytest.mark.parametrize("name", ["PATIENCE_DAYS", "COVERAGES", "MAX_GAP_DAYS", "MAX_LAG"])
def test_the_settings_of_all_can_be_checked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Who starts services, or looks at everything, is told whichever of them would be refused."""
    monkeypatch.setenv(PREFIX + name, WRONG)
    with pytest.raises(Refused, match=f"^{PREFIX}{name}={WRONG!r}: "):
        check_all()


def test_the_settings_of_every_service_are_known() -> None:
    """A folder in services with settings of its own stands among the readers."""
    folders = {file.parent.name for file in Path(services.__file__).parent.glob("*/settings.py")}
    assert folders == READERS.keys() - {"commands"}
    assert all(issubclass(settings_of(service), ServiceSettings) for service in folders)


@pytest.mark.parametrize("name", ["VERSION", "IMAGE_TAG", "NAMESPACE", "DB_PASSWORD", "FORECASTER_URL", "X"])
def test_any_other_variable_is_ignored_with_a_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Others may use our prefix, too: the start goes on, and says that it does not know the variable."""
    monkeypatch.setenv(PREFIX + name, "x")
    load(ServiceSettings)
    assert unknown_variables() == [f"{PREFIX}{name} is no setting and is ignored: see docs/reference.md"]


def service_links(service: str, host: str = "10.0.171.239", port: int = 8002, kind: str = "tcp") -> dict[str, str]:
    """Return what Kubernetes tells every container of a service with one named port."""
    name, address = service.upper().replace("-", "_"), f"{kind}://{host}:{port}"
    each = f"{name}_PORT_{port}_{kind.upper()}"
    return {
        f"{name}_SERVICE_HOST": host,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_HTTP": str(port),
        f"{name}_PORT": address,
        each: address,
        f"{each}_PROTO": kind,
        f"{each}_PORT": str(port),
        f"{each}_ADDR": host,
    }


@pytest.mark.parametrize(
    "links",
    [
        service_links("tetouan"),
        service_links("tetouan-forecaster"),
        service_links("tetouan-kafka", port=9092),
        service_links("tetouan-site", host="fd00::1"),
        service_links("tetouan-log", port=514, kind="udp"),
        service_links("tetouan-http-2", port=8000),
    ],
    ids=lambda links: next(iter(links)),
)
def test_what_kubernetes_tells_of_its_services_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, links: dict[str, str]
) -> None:
    """Neither does it stop the start, nor is a word said of it."""
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    load(ServiceSettings)
    assert unknown_variables() == []


def test_a_service_whose_link_is_a_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says that the value is not ours, and both ways out."""
    for name, value in service_links("tetouan-http", port=80).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refusal:
        load(ServiceSettings)
    assert str(refusal.value) == (
        "TETOUAN_HTTP_PORT='tcp://10.0.171.239:80' is what Kubernetes says of its service tetouan-http, no port: "
        "rename that service, or set enableServiceLinks: false in the pod"
    )


SITES = """
[alcala]
step_minutes = 15
country = "ES"
time_zone = "Europe/Madrid"
time_column = "time"
columns = {"Load" = "zone_1_kw"}
"""


@pytest.fixture
def own_sites(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with a site of one zone, named by the environment."""
    path = tmp_path / "sites.toml"
    path.write_text(SITES, encoding="utf-8")
    monkeypatch.setenv(PREFIX + "SITES", str(path))
    return path


def test_a_site_of_ones_own_is_served(monkeypatch: pytest.MonkeyPatch, own_sites: Path) -> None:
    """With its file and its name set, the settings hold it, and the zones of its table."""
    monkeypatch.setenv(PREFIX + "SITE", "alcala")
    settings = load(SiteSettings)
    assert (settings.sites, settings.site, settings.zones) == (own_sites, "alcala", (1,))
    assert (settings.chosen_site.name, settings.chosen_site.step_minutes) == ("alcala", 15)


def test_the_file_alone_changes_nothing(own_sites: Path) -> None:
    """The site that is built in stays the default, with its own zones."""
    settings = load(SiteSettings)
    assert (settings.sites, settings.site, settings.zones) == (own_sites, BUILT_IN, (2,))
    assert settings.chosen_site.name == BUILT_IN


def test_a_site_of_ones_own_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch, own_sites: Path) -> None:
    """The refusal lists what the file holds."""
    assert own_sites.exists()
    monkeypatch.setenv(PREFIX + "SITE", "alcalá")
    with pytest.raises(Refused) as refusal:
        load(SiteSettings)
    assert str(refusal.value) == (
        "TETOUAN_SITE='alcalá': site 'alcalá' is not known: did you mean alcala? Choose one of tetouan, alcala; "
        "TETOUAN_SITES names the file of your own"
    )


def test_zones_are_checked_with_the_site_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which there are is known with the data: a file of a user's own has others than the site that is built in."""
    monkeypatch.setenv(PREFIX + "ZONES", "1,4")
    settings = load(SiteSettings)
    assert settings.zones == (1, 4)
    with pytest.raises(Refused, match=r"^TETOUAN_ZONES=1,4: the year has no load of zone 4: set it to some of 1,2,3$"):
        settings.require_zones(settings.chosen_site, "the year")


def test_a_mistake_in_a_table_stops_who_works_on_that_site(monkeypatch: pytest.MonkeyPatch, own_sites: Path) -> None:
    """In one line with the setting, the file, the field and its value; a service of all sites has its settings."""
    own_sites.write_text(SITES.replace("Madrid", "Madird"), encoding="utf-8")
    monkeypatch.setenv(PREFIX + "SITE", "alcala")
    settings = load(SiteSettings)
    with pytest.raises(Refused) as refusal:
        _ = settings.chosen_site
    advice = "no such time zone: did you mean Europe/Madrid? Use an IANA name like Europe/Madrid"
    assert str(refusal.value) == f"TETOUAN_SITES={str(own_sites)!r}: alcala.time_zone = 'Europe/Madird': {advice}"


def test_lists_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several zones and groups are given as one text with commas, blanks around them do not matter."""
    monkeypatch.setenv(PREFIX + "ZONES", "1, 3")
    monkeypatch.setenv(PREFIX + "LAG_GROUPS", "ingestor,monitor")
    settings = load(CommandSettings)
    assert settings.zones == (1, 3)
    assert settings.lag_groups == ("ingestor", "monitor")


SERVICES = ("ingestor", "forecaster", "monitor")


@pytest.mark.parametrize(("group", "before"), [("", ""), ("north", "north-")])
def test_no_two_services_share_a_group(monkeypatch: pytest.MonkeyPatch, group: str, before: str) -> None:
    """One TETOUAN_GROUP in the environment of all makes a group of each, and the replay watches these."""
    monkeypatch.setenv(PREFIX + "GROUP", group)
    groups = tuple(before + service for service in SERVICES)
    assert tuple(map(load(ServiceSettings).group_of, SERVICES)) == groups
    assert load(CommandSettings).lag_groups == groups


def test_the_groups_of_any_site_can_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replay may watch one ingestor and the forecasters of two sites, whatever its own group is."""
    monkeypatch.setenv(PREFIX + "LAG_GROUPS", "ingestor, forecaster, north-forecaster")
    assert load(CommandSettings).lag_groups == ("ingestor", "forecaster", "north-forecaster")


def test_the_registry_lies_in_the_state_folder_unless_a_server_is_named(tmp_path: Path) -> None:
    """Without TETOUAN_MLFLOW_URI the registry is SQLite under the state folder, with it artefacts are the server's."""
    local = load(RegistrySettings, state_dir=tmp_path)
    assert local.registry_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert local.artifact_root == tmp_path / "mlflow" / "artifacts"
    server = load(RegistrySettings, mlflow_uri="http://127.0.0.1:5000")
    assert server.registry_uri == "http://127.0.0.1:5000"
    assert server.artifact_root is None


def test_the_order_of_a_crash_test_is_no_unknown_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is told where to die starts all the same: it must get there."""
    monkeypatch.setenv(failpoints.VARIABLE, "after_send:1")
    load(IngestorSettings)


@pytest.mark.parametrize("uri", ["garbage", "postgresql://user:secret@host/db"])
def test_an_address_that_is_no_registry_is_refused(uri: str) -> None:
    """With what it may be; a password in it is not shown."""
    with pytest.raises(Refused, match=r"give http.* of an MLflow server, or sqlite") as refusal:
        load(RegistrySettings, mlflow_uri=uri)
    assert "secret" not in str(refusal.value)
