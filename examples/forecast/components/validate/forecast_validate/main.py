"""Refuses data that must not be trained on, naming file and row."""

import argparse
from datetime import timedelta

from forecast_common.series import TABLE_COLUMNS, parse_instant, parse_load, read_table
from forecast_common.step import StepError, metric, run, write_value

PROGRAM = "forecast-validate"
LONGEST = timedelta(hours=1)  # what one row may cover: the models are hourly
SHOWN = 20


def parse(argv):
    args = argparse.ArgumentParser(PROGRAM, description=__doc__, allow_abbrev=False)
    args.add_argument("--data", required=True, help="the table that ingest wrote")
    args.add_argument("--report", required=True, help="output: what was found, JSON")
    args.add_argument("--min-load", type=float, default=1.0)
    args.add_argument("--max-load", type=float, default=200000.0)
    args.add_argument("--max-gap-hours", type=float, default=24.0, help="the longest hole that is let pass")
    return args.parse_args(argv)


def type_problem(row):
    """Why a row's three values are not two times and a number, or None."""
    for name, text in (("start", row.start), ("end", row.end)):
        if parse_instant(text) is None:
            return f"{name} {text!r} is not a time with its UTC offset"
    if parse_load(row.load) is None:
        return f"load {row.load!r} is not a number"
    return None


def value_problem(row, limits):
    """Why a row of the right types is out of range, or None. The order makes nan fail too."""
    length = parse_instant(row.end) - parse_instant(row.start)
    if not timedelta(0) < length <= LONGEST:
        return f"from start {row.start} to end {row.end} is not more than nothing and at most one hour"
    if not limits.min_load <= float(row.load) <= limits.max_load:
        return f"load {row.load} is outside {limits.min_load:g} to {limits.max_load:g}"
    return None


def row_problems(rows, limits):
    for row in rows:
        problem = type_problem(row) or value_problem(row, limits)
        if problem:
            yield f"{row.place()}: {problem}"


def order_problems(rows, limits, gaps):
    """Duplicates, overlaps and holes between neighbours of a table sorted by start; fills `gaps`."""
    longest = timedelta(hours=limits.max_gap_hours)
    for before, row in zip(rows, rows[1:]):
        start, free_from = parse_instant(row.start), parse_instant(before.end)
        if row.start == before.start:
            yield f"{row.place()}: start {row.start} is there already with another value ({before.place()})"
        elif start < free_from:
            yield f"{row.place()}: it overlaps with {before.place()}"
        elif start > free_from:
            hours = (start - free_from) / timedelta(hours=1)
            gaps.append({"from": before.end, "to": row.start, "hours": hours})
            if start - free_from > longest:
                yield f"{row.place()}: {hours:g} h without data before it, more than {limits.max_gap_hours:g}"


def check(rows, limits):
    """The gaps that were let pass; StepError naming file and row of the first problems."""
    gaps = []
    problems = list(row_problems(rows, limits)) or list(order_problems(rows, limits, gaps))
    if problems:
        rest = len(problems) - SHOWN
        more = [f"… and {rest} more"] if rest > 0 else []
        raise StepError("\n  ".join([f"{len(problems)} bad row{'s' * (len(problems) > 1)}", *problems[:SHOWN], *more]))
    return gaps


def summary(rows, gaps):
    loads = [float(row.load) for row in rows]
    return {
        "rows": len(rows),
        "first": rows[0].start,
        "last": rows[-1].start,
        "min_load": min(loads),
        "max_load": max(loads),
        "gaps": gaps[:SHOWN],
        "gap_hours": sum(gap["hours"] for gap in gaps),
    }


def step(argv):
    args = parse(argv)
    rows = read_table(args.data)
    if rows is None:
        raise StepError(f"the columns of the data are not {','.join(TABLE_COLUMNS)}")
    if not rows:
        raise StepError("the data has no rows")
    report = summary(rows, check(rows, args))
    write_value(args.report, report)
    metric("gap_hours", report["gap_hours"])
    print(f"{len(rows)} rows from {report['first']} to {report['last']} are good, {report['gap_hours']:g} h missing")


def main():
    run(PROGRAM, step)
