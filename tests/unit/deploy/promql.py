"""What stands in an expression of PromQL, and what the services export for it."""

from __future__ import annotations

import re

from deploy.exposition import labels_by_name

__all__ = ["EXPORTED", "MATCHER", "SCRAPED", "SELECTOR", "groupings", "metrics"]

SCRAPED = {"job", "instance"}
EXPORTED = {"up": frozenset[str](), **labels_by_name()}
KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"}

SELECTOR = re.compile(r'([a-zA-Z_]\w*)\{((?:"[^"]*"|[^"}])*)\}')
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right) ?\(([^)]*)\)")
NAME = re.compile(r"(?<![\w.$])[a-zA-Z_]\w*\b(?!\s*\()")


def metrics(expr: str) -> set[str]:
    """Return every name of a PromQL expression that is neither function nor keyword nor label."""
    selected = {name for name, _ in SELECTOR.findall(expr)}
    rest = re.sub(r'"[^"]*"|\[[^]]*\]', "", GROUPING.sub("", SELECTOR.sub("", expr)))
    return selected | (set(NAME.findall(rest)) - KEYWORDS)


def groupings(expr: str) -> set[str]:
    """Return the labels that a PromQL expression aggregates or joins by."""
    return {label.strip() for labels in GROUPING.findall(expr) for label in labels.split(",") if label.strip()}
