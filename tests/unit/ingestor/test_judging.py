"""What becomes of a stream of raw records."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.judging import Accepted, Ingestor, Merged, Outcome, Rejected
from shared.data.sites import site
from tests.unit.ingestor.readings import raw

MIDNIGHT = "3/1/2020 0:00"


NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def judged(*messages: bytes, max_gap: timedelta = MONTH) -> list[Outcome]:
    """Return the outcomes of the messages, in their order."""
    ingestor = Ingestor([site("tetouan")], max_gap)
    return [ingestor.judge(message, NOW) for message in messages]


def test_readings_in_order_are_accepted() -> None:
    """A gap makes no reading of its own."""
    outcomes = judged(raw(MIDNIGHT), raw("3/1/2020 0:10"), raw("3/2/2020 0:00"))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 3


def test_a_time_that_was_published_is_merged() -> None:
    """The first reading of a time stands, whatever the second says and however the time is spelled."""
    _, again, _, later = judged(
        raw(MIDNIGHT), raw("2020-03-01T00:00:00Z", zone_2_kw="5"), raw("3/1/2020 0:10"), raw(MIDNIGHT)
    )
    assert isinstance(again, Merged)
    assert isinstance(later, Merged)


def test_an_older_time_that_was_not_published_is_too_late() -> None:
    """Clean readings go out in event-time order: what would break it is a dead letter."""
    outcome = judged(raw("3/1/2020 0:20"), raw("3/1/2020 0:10"))[1]
    assert outcome == Rejected("too_late", "DateTime", "2020-03-01T00:10:00+00:00")


def test_a_published_time_beyond_sixteen_days_is_too_late() -> None:
    """Memory is bounded: what lies further back than 16 days counts as late."""
    assert isinstance(judged(raw(MIDNIGHT), raw("3/16/2020 23:50"), raw(MIDNIGHT))[2], Merged)
    assert judged(raw(MIDNIGHT), raw("3/17/2020 0:00"), raw(MIDNIGHT))[2] == Rejected(
        "too_late", "DateTime", "2020-03-01T00:00:00+00:00"
    )


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
    assert future == Rejected("in_the_future", "DateTime", "9999-01-01T00:00:00+00:00")
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


def test_the_same_stream_has_the_same_outcomes() -> None:
    """The state is a fold: repeating the records repeats the outcomes."""
    messages = [raw(f"3/1/2020 {hour}:00", zone_2_kw=f"{n}") for n, hour in enumerate((1, 2, 2, 1, 5, 4))]
    assert judged(*messages) == judged(*messages)
