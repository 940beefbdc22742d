from datetime import datetime, timezone

import pytest

from forecast_common.series import Row, parse_instant, parse_load, read_table, write_table


@pytest.mark.parametrize(
    "text",
    ["2000-06-05 00:00:00+00:00", "2000-06-05T00:00:00Z", " 2000-06-05 01:00:00+01:00 ", "2000-06-05T00:00+00:00"],
)
def test_one_instant_in_many_spellings(text):
    assert parse_instant(text) == datetime(2000, 6, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize("text", ["", "yesterday", "2000-06-05 00:00:00", "2000-13-05 00:00:00+00:00", "2000-06-05"])
def test_no_instant(text):
    assert parse_instant(text) is None


@pytest.mark.parametrize("text, value", [("1", 1.0), ("22009.0", 22009.0), ("-1e3", -1000.0)])
def test_loads(text, value):
    assert parse_load(text) == value


@pytest.mark.parametrize("text", ["", "22009.0,1", "12 MW", "\\xff"])
def test_no_load(text):
    assert parse_load(text) is None


def test_a_table_comes_back_as_it_was(tmp_path):
    rows = [Row("a", "b", "1,5", 'da"ta/ü +1.csv', 2), Row("", "", "", "x\ny.csv", 3)]
    write_table(tmp_path / "data.csv", rows)
    assert read_table(tmp_path / "data.csv") == rows


@pytest.mark.parametrize("text", ["", "start,end,load\n", "start,end,load,row,file\n"])
def test_other_columns_are_no_table(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    assert read_table(tmp_path / "data.csv") is None


def test_a_place_names_file_and_row():
    assert Row("", "", "", "gb.csv", 17).place() == "gb.csv, row 17"
