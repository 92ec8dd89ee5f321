"""What is said about findings: one line a file, then one line over all. Tails at most."""

from collections import Counter
from collections.abc import Iterable, Sequence

from mistral_nb.saving.clean import STDIN, Outcome
from mistral_nb.scrub import Finding

_MANY = 5  # places named in a line


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def name_of(path: str) -> str:
    return "standard input" if path == STDIN else path


def keys(findings: Iterable[Finding]) -> str:
    """``…Ug6Y (remembered) in cells 2 and 5; …a1B2 (suspected) in line 3``."""
    places: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        where = places.setdefault((finding.tail, finding.tier), [])
        place = _place(finding)
        if place and place not in where:
            where.append(place)
    return "; ".join(f"{_key(tail)} ({tier}){_joined(where)}" for (tail, tier), where in places.items())


def line(outcome: Outcome, *, write: bool) -> str:
    """One file, in one line; "" where there is nothing to say."""
    parts = []
    if outcome.problem:
        parts.append(f"could not be {'cleaned' if write else 'read'}: {outcome.problem}")
    removed, left = (outcome.removed, outcome.left) if write else ((), (*outcome.removed, *outcome.left))
    if removed:
        parts.append(f"{counted(len(removed), 'key')} removed: {keys(removed)}")
    if left:
        parts.append(f"{counted(len(left), 'key')} found{' and left in place' if write else ''}: {keys(left)}")
    if outcome.note:
        parts.append(outcome.note)
    return f"{name_of(outcome.path)}: {'. '.join(parts)}" if parts else ""


def before(outcome: Outcome) -> str:
    """Said before a key that no store keeps is rewritten: this may be its only copy."""
    return f"{name_of(outcome.path)}: removing, and kept in no store here: {keys(outcome.removed)}"


def summary(files: int, outcomes: Sequence[Outcome], *, write: bool) -> str:
    """Over all: how many files, keys and tiers."""
    found = [f for outcome in outcomes for f in (*outcome.removed, *outcome.left)]
    removed = sum(len(outcome.removed) for outcome in outcomes)
    parts = [f"{counted(files, 'file')}: {counted(len(found), 'key') if found else 'no key'} found"]
    if found:
        tiers = Counter(finding.tier for finding in found)
        parts[0] += f" ({', '.join(f'{number} {tier}' for tier, number in sorted(tiers.items()))})"
        holding = sum(bool(outcome.removed or outcome.left) for outcome in outcomes)
        parts[0] += f" in {counted(holding, 'file')}"
        if write:
            parts.append(f"{removed if removed != len(found) else 'all'} removed")
    noted = sum(len(outcome.noted) for outcome in outcomes)
    if noted:
        parts.append(f"{counted(noted, 'other identifier')} noted")
    problems = sum(bool(outcome.problem) for outcome in outcomes)
    if problems:
        parts.append(f"{counted(problems, 'file')} could not be {'cleaned' if write else 'read'}")
    return f"{', '.join(parts)}."


def exit_code(outcomes: Iterable[Outcome], *, write: bool) -> int:
    """0 when everything is clean (for `scrub`: afterwards), 1 with a key left, 3 when incomplete."""
    code = 0
    for outcome in outcomes:
        if outcome.problem:
            return 3
        if outcome.left or outcome.note or (outcome.removed and not write):
            code = 1
    return code


def _key(tail: str) -> str:
    return f"…{tail}" if tail else "part of a key"


def _place(finding: Finding) -> str:
    if finding.cell is not None:
        return f"cell {finding.cell}"
    if finding.line is not None:
        return f"line {finding.line}"
    return finding.path


def _joined(places: Sequence[str]) -> str:
    if not places:
        return ""
    shown = list(places[:_MANY])
    if len(places) > _MANY:
        shown.append(f"{len(places) - _MANY} more places")
    return " in " + (" and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0])
