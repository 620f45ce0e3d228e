"""What becomes of a stream of raw records."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.ingestor import Ingestor
from services.ingestor.judging import Accepted, Merged, Outcome, Rejected, Valid
from services.ingestor.validation import validate
from shared.sites.table import site
from tests.unit.ingestor.readings import SITES, raw

if TYPE_CHECKING:
    from shared.contracts.messages import CleanReading

MIDNIGHT = "3/1/2020 0:00"


NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def judged(*messages: bytes, max_gap: timedelta = MONTH) -> list[Outcome]:
    """Return the outcomes of the messages, in their order."""
    ingestor = Ingestor([site("tetouan")], max_gap)
    return [ingestor.judge(message, NOW) for message in messages]


def too_late(stamp: str) -> Rejected:
    """Return the refusal of a reading that comes too late."""
    why = "later readings were published, and this time was not, or more than 16 days ago"
    return Rejected("too_late", "DateTime", f"{stamp}: {why}: send readings in order of their time")


def test_readings_in_order_are_accepted() -> None:
    """A gap makes no reading of its own."""
    outcomes = judged(raw(MIDNIGHT), raw("3/1/2020 0:10"), raw("3/2/2020 0:00"))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 3


def test_a_time_that_was_published_is_merged() -> None:
    """A repeat with the same values is dropped, however the time is spelled and whatever else was published since."""
    _, again, _, later = judged(raw(MIDNIGHT), raw("2020-03-01T00:00:00Z"), raw("3/1/2020 0:10"), raw(MIDNIGHT))
    assert isinstance(again, Merged)
    assert isinstance(later, Merged)


@pytest.mark.parametrize("cell", [None, "", "error", "-5", "1.25", "1.250", 1.25])
def test_a_repeat_that_says_no_more_is_merged(cell: object) -> None:
    """The same values, or fewer: nothing that came is lost."""
    assert isinstance(judged(raw(MIDNIGHT), raw(MIDNIGHT, zone_2_kw=cell))[1], Merged)


@pytest.mark.parametrize("cell", ["error", "-5"])
def test_what_is_missing_twice_is_merged(cell: str) -> None:
    """A null that comes again as a null fills nothing."""
    assert isinstance(judged(raw(MIDNIGHT, zone_2_kw=cell), raw(MIDNIGHT, zone_2_kw=None))[1], Merged)


def test_a_correction_contradicts() -> None:
    """Another value where one stands is a dead letter with both, and changes nothing."""
    first, correction, repeat = judged(raw(MIDNIGHT), raw(MIDNIGHT, zone_2_kw="0"), raw(MIDNIGHT))
    assert isinstance(first, Accepted)
    assert correction == Rejected(
        "contradicts",
        "Zone 2  Power Consumption",
        "zone_2_kw 0.0 where 1.25 stands at 2020-03-01T00:00:00+00:00: the first message of a time counts: "
        "see which of the two is right",
    )
    assert isinstance(repeat, Merged)


def test_a_value_for_a_null_is_late() -> None:
    """A meter whose value comes in a message of its own is told of, with the value."""
    late = judged(raw(MIDNIGHT, zone_2_kw=None, zone_3_kw="error"), raw(MIDNIGHT, zone_2_kw="7.5", zone_3_kw="8"))[1]
    assert late == Rejected(
        "late_value",
        "Zone 2  Power Consumption",
        "zone_2_kw 7.5 where null stands, zone_3_kw 8.0 where null stands at 2020-03-01T00:00:00+00:00: "
        "the first message of a time counts: send all values of a time in one message",
    )


def test_what_is_not_used_is_told_in_one_letter_that_names_the_first() -> None:
    """The reason is that of the first field; all of them are listed."""
    (_, both) = judged(raw(MIDNIGHT, zone_3_kw=None), raw(MIDNIGHT, zone_2_kw="7", zone_3_kw="8"))
    assert isinstance(both, Rejected)
    assert (both.reason, both.field) == ("contradicts", "Zone 2  Power Consumption")
    assert "zone_2_kw 7.0 where 1.25 stands, zone_3_kw 8.0 where null stands" in (both.value or "")


def test_an_older_time_that_was_not_published_is_too_late() -> None:
    """Clean readings go out in event-time order: what would break it is a dead letter."""
    assert judged(raw("3/1/2020 0:20"), raw("3/1/2020 0:10"))[1] == too_late("2020-03-01T00:10:00+00:00")


def test_a_published_time_beyond_sixteen_days_is_too_late() -> None:
    """Memory is bounded: what lies further back than 16 days counts as late."""
    assert isinstance(judged(raw(MIDNIGHT), raw("3/16/2020 23:50"), raw(MIDNIGHT))[2], Merged)
    assert judged(raw(MIDNIGHT), raw("3/17/2020 0:00"), raw(MIDNIGHT))[2] == too_late("2020-03-01T00:00:00+00:00")


def test_a_time_beyond_the_largest_gap_is_refused_with_advice() -> None:
    """One wrong year must not lock out all that follows; the text says what to check."""
    messages = raw(MIDNIGHT), raw("3/4/2020 0:10"), raw("3/4/2020 0:00")
    first, ahead, last = judged(*messages, max_gap=timedelta(days=3))
    assert ahead == Rejected(
        "too_far_ahead",
        "DateTime",
        "2020-03-04T00:10:00+00:00 is more than 3 days after the last reading: check the meter's clock; "
        "after a real gap the sixth reading in a row is taken",
    )
    assert isinstance(first, Accepted)
    assert isinstance(last, Accepted)


def test_a_refused_record_leaves_no_trace() -> None:
    """A dead letter does not move the site's time."""
    elsewhere = raw("3/1/2020 0:20").replace(b'"tetouan"', b'"elsewhere"')
    outcomes = judged(raw(MIDNIGHT), elsewhere, raw("3/1/2020 0:25"), raw("5/1/2020 0:00"), raw("3/1/2020 0:10"))
    assert [type(outcome) for outcome in outcomes] == [Accepted, Rejected, Rejected, Rejected, Accepted]


def test_sites_have_their_own_order() -> None:
    """What one site published is neither late nor merged at another."""
    other = site("tetouan").model_copy(update={"name": "tangier"})
    ingestor = Ingestor([site("tetouan"), other], MONTH)
    messages = [raw(MIDNIGHT), raw(MIDNIGHT).replace(b'"tetouan"', b'"tangier"')]
    assert [type(ingestor.judge(message, NOW)) for message in messages] == [Accepted, Accepted]


def test_a_clock_ahead_of_ours_is_refused() -> None:
    """No meter reads the future: a wrong year, even in the first record, must not make all that follows too late."""
    future, good = judged(raw("1/1/9999 0:00"), raw(MIDNIGHT))
    assert future == Rejected(
        "in_the_future",
        "DateTime",
        "9999-01-01T00:00:00+00:00 is more than an hour after 2026-01-01T00:00:00+00:00, the later of the record's own "
        "time and our clock: check the clock of the meter, and the time zone of the site",
    )
    assert isinstance(good, Accepted)


def test_six_in_a_row_from_beyond_the_gap_are_the_new_truth() -> None:
    """After a long outage, or a first record from a wrong clock, the stream goes on by itself."""
    after = [raw(f"6/1/2020 0:{minute}0") for minute in range(6)]
    outcomes = judged(raw(MIDNIGHT), *after, raw("6/1/2020 1:00"))
    assert [type(outcome) for outcome in outcomes] == [Accepted, *[Rejected] * 5, Accepted, Accepted]


def test_one_wrong_clock_now_and_then_is_no_new_truth() -> None:
    """Records from beyond the gap that good readings interrupt stay refused."""
    messages = [raw(MIDNIGHT)]
    for step in range(1, 6):
        messages += [raw(f"6/{step}/2021 0:00"), raw(f"3/1/2020 0:{step}0")]
    assert [type(outcome) for outcome in judged(*messages)] == [Accepted, *[Rejected, Accepted] * 5]


TIMES = st.integers(0, 40).map(lambda n: f"3/1/2020 {n // 6}:{n % 6}0")
RECORDS = st.lists(TIMES.map(raw) | st.sampled_from([b"", b"{}", raw("3/1/2020 0:05"), raw("3/1/2021 0:00")]))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(RECORDS)
def test_every_record_has_one_outcome(messages: list[bytes]) -> None:
    """Of any stream: sent = accepted + rejected + merged, and each time is accepted at most once and in order."""
    counts = Counter(type(outcome) for outcome in judged(*messages))
    assert counts[Accepted] + counts[Rejected] + counts[Merged] == len(messages)
    accepted = [outcome.reading.time for outcome in judged(*messages) if isinstance(outcome, Accepted)]
    assert all(earlier < later for earlier, later in pairwise(accepted))


CELLS = st.sampled_from([None, "error", "-1", "0", "1.25", "7", "1e9"])
REPEATS = st.lists(st.tuples(st.integers(0, 3), CELLS, CELLS), max_size=30)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(REPEATS)
def test_every_value_stands_or_is_in_a_dead_letter(repeats: list[tuple[int, str | None, str | None]]) -> None:
    """Of any messages of the same few times: a value that came was published, or a letter holds it."""
    messages = [raw(f"3/1/2020 0:{step}0", zone_1_kw=one, zone_2_kw=other) for step, one, other in repeats]
    published: dict[datetime, CleanReading] = {}
    for message, outcome in zip(messages, judged(*messages), strict=True):
        valid = validate(message, SITES)
        assert isinstance(valid, Valid)
        if isinstance(outcome, Accepted):
            published[outcome.reading.time] = outcome.reading
        stands = published.get(valid.reading.time)
        news = [
            f"{field} {value} "
            for field, value in valid.reading.values.items()
            if stands and value not in (None, stands.values[field])
        ]
        if stands:
            assert isinstance(outcome, Rejected) == bool(news)
        assert all(new in (outcome.value or "") for new in news if isinstance(outcome, Rejected))


def test_the_same_stream_has_the_same_outcomes() -> None:
    """The state is a fold: repeating the records repeats the outcomes."""
    messages = [raw(f"3/1/2020 {hour}:00", zone_2_kw=f"{n}") for n, hour in enumerate((1, 2, 2, 1, 5, 4))]
    assert judged(*messages) == judged(*messages)
