import json

import pytest

from forecast_common.series import read_table
from forecast_common.step import StepError
from forecast_ingest.main import step
from pipeline import pin

HEADER = "start,end,load\n"


def line(hour, load, day=5):
    return f"2000-06-{day:02} {hour:02}:00:00+00:00,2000-06-{day:02} {hour + 1:02}:00:00+00:00,{load}\n"


class Ingest:
    """Runs the step on files given as {key: text or bytes}."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, files):
        for number, (key, text) in enumerate(files.items()):
            source = self.folder / f"source{number}"
            source.write_bytes(text if isinstance(text, bytes) else text.encode())
            files[key] = source
        pin(self.folder / "raw", "bucket", files)
        return self.run()

    def run(self):
        names = ("raw", "data", "manifest", "rows", "skipped")
        step([f"--{name}={self.folder / name}" for name in names])
        return read_table(self.folder / "data")

    def value(self, name):
        return json.loads((self.folder / name).read_text())


@pytest.fixture
def ingest(tmp_path):
    return Ingest(tmp_path)


def test_the_example_s_data(ingest, data):
    pin(ingest.folder / "raw", "forecast-example", {"gb.csv": data / "gb.csv"})
    rows = ingest.run()
    assert len(rows) == ingest.value("rows") == 1992
    assert (rows[0].file, rows[0].row) == ("gb.csv", 2)
    assert (rows[-1].file, rows[-1].row) == ("gb.csv", 1993)


def test_a_day_is_appended(ingest, data):
    files = {name: data / name for name in ("gb.csv", "gb+1_day.csv")}
    pin(ingest.folder / "raw", "forecast-example", files)
    rows = ingest.run()
    assert len(rows) == 1992 + 24
    assert {row.file for row in rows[-24:]} == {"gb+1_day.csv"}
    assert [row.start for row in rows] == sorted(row.start for row in rows)


def test_the_manifest_is_passed_on_to_the_byte(ingest):
    ingest({"a.csv": HEADER + line(0, 1)})
    assert (ingest.folder / "manifest").read_bytes() == (ingest.folder / "raw" / "manifest.json").read_bytes()


def test_other_files_are_skipped_and_named(ingest, capsys):
    rows = ingest(
        {
            "good.csv": HEADER + line(0, 1),
            "folder/other.csv": "when,what\n1,2\n",
            "empty.csv": "",
            "binary.csv": b"\x00\xff\xfe\r\n",
            "more.csv": "start,end,load,unit\n",
            "swapped.csv": "end,start,load\n",
        }
    )
    assert [row.file for row in rows] == ["good.csv"]
    skipped = ingest.value("skipped")
    assert [entry["file"] for entry in skipped] == ["binary.csv", "empty.csv", "folder/other.csv", "more.csv", "swapped.csv"]
    assert "its columns are 'when,what', not 'start,end,load'" in skipped[2]["reason"]
    out = capsys.readouterr().out
    assert all(f"skipped {entry['file']}: " in out for entry in skipped)


def test_a_set_with_nothing_of_use_fails_but_names_what_it_saw(ingest):
    with pytest.raises(StepError, match="no object with rows"):
        ingest({"other.csv": "a,b\n", "empty.csv": HEADER})
    assert [entry["file"] for entry in ingest.value("skipped")] == ["other.csv"]


def test_an_empty_bucket_fails(ingest):
    with pytest.raises(StepError, match="no object with rows"):
        ingest({})


def test_rows_are_sorted_over_files(ingest):
    rows = ingest({"b.csv": HEADER + line(2, 3) + line(0, 1), "a.csv": HEADER + line(1, 2)})
    assert [(row.load, row.file, row.row) for row in rows] == [("1", "b.csv", 3), ("2", "a.csv", 2), ("3", "b.csv", 2)]


def test_exact_duplicates_go_however_they_are_written(ingest):
    other = "2000-06-05T01:00:00+01:00, 2000-06-05T01:00:00Z , 7.0\n"
    rows = ingest({"a.csv": HEADER + line(0, 7) + line(0, 7), "b.csv": HEADER + other})
    assert [(row.file, row.row) for row in rows] == [("a.csv", 2)]


def test_the_same_start_with_another_load_stays_for_validate(ingest):
    assert len(ingest({"a.csv": HEADER + line(0, 7), "b.csv": HEADER + line(0, 8)})) == 2


def test_bad_rows_stay_and_come_last(ingest):
    bad = "yesterday,today,many\n" + "2000-06-05 00:00:00+00:00\n" + line(3, "4,5")
    rows = ingest({"a.csv": HEADER + bad + line(1, 1)})
    assert [(row.row, row.load) for row in rows] == [(3, ""), (5, "1"), (4, "4,5"), (2, "many")]


def test_blank_lines_count_as_rows_but_are_none(ingest):
    rows = ingest({"a.csv": HEADER + "\n" + line(0, 1) + "\n"})
    assert [row.row for row in rows] == [3]


def test_a_byte_order_mark_and_windows_lines_are_let_pass(ingest):
    text = "\ufeff" + (HEADER + line(0, 1)).replace("\n", "\r\n")
    assert len(ingest({"a.csv": text})) == 1


def test_bytes_that_are_no_text_keep_their_row(ingest):
    rows = ingest({"a.csv": (HEADER + line(0, 1)).encode() + b"\xff,\xfe,1\n"})
    assert (rows[1].start, rows[1].row) == ("\\xff", 3)


def test_a_field_without_end_names_its_file_and_row(ingest):
    with pytest.raises(StepError, match="a.csv, row 3: field larger than"):
        ingest({"a.csv": HEADER + line(0, 1) + '"' + "x" * 200000})


@pytest.mark.parametrize("key", ["../outside.csv", "/etc/passwd", "missing.csv", ""])
def test_a_manifest_that_points_elsewhere_is_refused(ingest, key):
    (ingest.folder / "raw" / "files").mkdir(parents=True)
    (ingest.folder / "raw" / "outside.csv").write_text(HEADER + line(0, 1))
    (ingest.folder / "raw" / "manifest.json").write_text(json.dumps({"bucket": "b", "objects": [{"key": key}]}))
    with pytest.raises(StepError, match="which is not in the object set"):
        ingest.run()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"objects": [1]}'])
def test_a_broken_manifest_is_refused(ingest, text):
    (ingest.folder / "raw" / "files").mkdir(parents=True)
    (ingest.folder / "raw" / "manifest.json").write_text(text)
    with pytest.raises(StepError, match="no usable manifest.json"):
        ingest.run()
