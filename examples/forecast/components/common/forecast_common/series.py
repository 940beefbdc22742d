"""The table that ingest writes and validate and prepare read: one row a measurement, with its origin."""

import csv
from dataclasses import dataclass
from datetime import datetime, timezone

SOURCE_COLUMNS = ["start", "end", "load"]
TABLE_COLUMNS = SOURCE_COLUMNS + ["file", "row"]


@dataclass(frozen=True)
class Row:
    """start, end and load are texts until validate has looked at them.

    file is the object's key, row the line in it, counted from 1 (the header is row 1).
    """

    start: str
    end: str
    load: str
    file: str
    row: int

    def place(self):
        return f"{self.file}, row {self.row}"


def parse_instant(text):
    """An ISO 8601 time with its UTC offset as an aware datetime in UTC, or None."""
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return instant.astimezone(timezone.utc) if instant.tzinfo else None


def parse_load(text):
    """A number as float (nan and infinities included), or None."""
    try:
        return float(text)
    except ValueError:
        return None


def read_table(path):
    """All rows of ingest's table, in its order; None when the columns are not the agreed ones."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if next(reader, None) != TABLE_COLUMNS:
            return None
        return [Row(start, end, load, name, int(row)) for start, end, load, name, row in reader]


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TABLE_COLUMNS)
        writer.writerows((r.start, r.end, r.load, r.file, r.row) for r in rows)
