"""What a demo has shown, as one JSON object and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backtest.tables import FIGURES, ScoreTable
from cli.printing import print_whole

if TYPE_CHECKING:
    from rich.console import Console

    from backtest.transcript import Transcript
    from cli.audit import Audit

__all__ = ["balanced", "show_summary", "summary", "unknown_yet"]


def summary(audit: Audit, *, sent: int, others_sent: int, merged: int) -> dict[str, Any]:
    """Return the machine-readable result; ``leads`` are those of the first zone, null where nothing has come due.

    ``sent`` are the readings of the replay, ``others_sent`` what else came on the raw topic.
    """
    first = next(iter(audit.transcripts.values()))
    return {
        "readings_sent": sent,
        "others_sent": others_sent,
        "accepted": audit.accepted,
        "rejected": audit.rejected,
        "merged": merged,
        "amended": audit.amended,
        "forecasts": audit.issued,
        "missing_forecasts": audit.missing,
        "duplicate_forecasts": audit.duplicates,
        "unmatured": sum(unmatured(transcript) for transcript in audit.transcripts.values()),
        "levels": dict(audit.levels),
        "drift_events": len(audit.drift_events),
        "leads": ScoreTable.of(first).leads(FIGURES),
        "zones": {
            str(zone): ScoreTable.of(transcript).leads(FIGURES) for zone, transcript in audit.transcripts.items()
        },
        "forecasts_sha256": audit.digest.hexdigest(),
    }


def unmatured(transcript: Transcript) -> int:
    """Return how many pairs of origin and lead have a target after the last reading."""
    origins = np.flatnonzero(transcript.has_forecast)
    leads = transcript.issued_kw.shape[2]
    return int(np.clip(origins + leads - transcript.last_read, 0, leads).sum())


def balanced(result: dict[str, Any]) -> bool:
    """Tell whether nothing was lost or doubled: every record has one outcome, every accepted one its forecasts."""
    outcomes = result["accepted"] + result["rejected"] + result["merged"] + result["amended"]
    sent = result["readings_sent"] + result["others_sent"]
    return bool(sent == outcomes and not result["missing_forecasts"] and not result["duplicate_forecasts"])


def show_summary(result: dict[str, Any], audit: Audit, console: Console) -> None:
    """Print the accounting and the scores a zone."""
    others = " + by others {others_sent:,}" if result["others_sent"] else ""
    counts = "sent {readings_sent:,}" + others + " = accepted {accepted:,} + rejected {rejected:,} + merged {merged:,}"
    verdict = "" if balanced(result) else "  THE COUNTS DO NOT BALANCE"
    console.print(f"{result['data']}: {counts.format(**result)}{verdict}", soft_wrap=True, highlight=False)
    answers = (
        "forecasts {forecasts:,}  missing {missing_forecasts}  repeated {duplicate_forecasts}  in {wall_s} s, "
        "of which the replay waited {waited_s} s for consumers"
    )
    console.print(answers.format(**result), soft_wrap=True, highlight=False)
    levels = ", ".join(f"{level} {count:,}" for level, count in result["levels"].items())
    found = [event.text for event in audit.drift_events.values() if event.ended is None]
    drift = f"{result['drift_events']} drift events, {len(found)} open" + (f": {found[-1]}" if found else "")
    console.print(f"answered by: {levels or 'nobody'}; {drift}", soft_wrap=True, highlight=False, markup=False)
    for transcript in audit.transcripts.values():
        print_whole(console, ScoreTable.of(transcript))
    for line in unknown_yet(
        min(transcript.rows / transcript.steps_per_day for transcript in audit.transcripts.values())
    ):
        console.print(line, soft_wrap=True, highlight=False)


def unknown_yet(days: float) -> list[str]:
    """Return why a table of so many days has places without a figure."""
    return [
        f"- {what}"
        for least, what in (
            (1, "24 h and mean: no forecast of a day ahead has come due, which takes more than a day"),
            (7, "worst week: there is none in less than seven days"),
            (8, "best naive and skill: one of the rules repeats the last week, so they need more than eight days"),
        )
        if days <= least
    ]
