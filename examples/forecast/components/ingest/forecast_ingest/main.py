"""Appends the files of a pinned object set, sorts them and drops exact duplicates."""

import argparse
import csv
import json
import shutil
from pathlib import Path

from forecast_common.series import SOURCE_COLUMNS, Row, parse_instant, parse_load, write_table
from forecast_common.step import StepError, metric, run, write_value

PROGRAM = "forecast-ingest"


class Skip(Exception):
    """A file that is no load series; the text says why."""


def parse(argv):
    args = argparse.ArgumentParser(PROGRAM, description=__doc__, allow_abbrev=False)
    args.add_argument("--raw", required=True, help="the object set: files/KEY and manifest.json")
    args.add_argument("--data", required=True, help="output: the table")
    args.add_argument("--manifest", required=True, help="output: the set's manifest as it came")
    args.add_argument("--rows", required=True, help="output: how many rows")
    args.add_argument("--skipped", required=True, help="output: [{file, reason}]")
    return args.parse_args(argv)


def object_keys(raw):
    try:
        manifest = json.loads((raw / "manifest.json").read_text(encoding="utf-8"))
        return [entry["key"] for entry in manifest["objects"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepError(f"the object set has no usable manifest.json: {error!r}") from error


def object_path(raw, key):
    files = (raw / "files").resolve()
    path = (files / key).resolve()
    if not path.is_relative_to(files) or not path.is_file():
        raise StepError(f"the manifest names {key!r}, which is not in the object set")
    return path


def normal_time(text):
    instant = parse_instant(text)
    return instant.isoformat(" ") if instant else text.strip()


def to_row(key, line, fields):
    """Rows are not judged here. Too few or too many fields end up in load, where validate will trip."""
    start, end, *load = fields + [""] * (3 - len(fields))
    return Row(normal_time(start), normal_time(end), ",".join(load).strip(), key, line)


def read_object(key, path):
    """The rows of one file; Skip when it is not one of ours.

    Bytes that are not UTF-8 become visible as \\xNN, so that the row they are in can be named.
    """
    with open(path, newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in read_header(reader)]
        if header != SOURCE_COLUMNS:
            raise Skip(f"its columns are {','.join(header)[:200]!r}, not {','.join(SOURCE_COLUMNS)!r}")
        try:
            return [to_row(key, reader.line_num, fields) for fields in reader if fields]
        except csv.Error as error:
            raise StepError(f"{key}, row {reader.line_num}: {error}") from None


def read_header(reader):
    try:
        return next(reader, [])
    except csv.Error as error:
        raise Skip(f"it is not CSV: {error}") from None


def read_set(raw):
    """All rows of all files, and the files that were skipped."""
    rows, skipped = [], []
    for key in object_keys(raw):
        try:
            found = read_object(key, object_path(raw, key))
        except Skip as reason:
            skipped.append({"file": key, "reason": str(reason)})
            print(f"skipped {key}: {reason}")
            continue
        print(f"read {key}: {len(found)} rows")
        rows += found
    return rows, skipped


def sort_key(row):
    """Times are normal by now, so their text sorts as they do; what is no time comes last."""
    return (parse_instant(row.start) is None, row.start, row.end)


def value(row):
    """What makes two rows exact duplicates, wherever they come from: 22009.0 is 22009."""
    load = parse_load(row.load)
    return (row.start, row.end, row.load if load is None else load)


def append(rows):
    """Sorted (within one start in the order of the files), the first of exact duplicates kept."""
    unique = {}
    for row in sorted(rows, key=sort_key):
        unique.setdefault(value(row), row)
    return list(unique.values())


def step(argv):
    args = parse(argv)
    raw = Path(args.raw)
    read, skipped = read_set(raw)
    write_value(args.skipped, skipped)
    if not read:
        raise StepError(f"no object with rows and the columns {','.join(SOURCE_COLUMNS)} in the set")
    rows = append(read)
    write_table(args.data, rows)
    shutil.copyfile(raw / "manifest.json", args.manifest)
    write_value(args.rows, len(rows))
    metric("rows", len(rows))
    metric("files_skipped", len(skipped))
    print(f"{len(rows)} rows, {len(read) - len(rows)} exact duplicates dropped, {len(skipped)} files skipped")


def main():
    run(PROGRAM, step)
