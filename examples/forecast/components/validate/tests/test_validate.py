import json

import pytest

from forecast_common.series import Row, write_table
from forecast_common.step import StepError
from forecast_validate.main import SHOWN, step


def row(hour, load="100", end=None, number=None, file="a.csv"):
    """The hour `hour` of 5 June, in row hour + 2 of its file."""
    end = hour + 1 if end is None else end
    return Row(time(hour), time(end), load, file, hour + 2 if number is None else number)


def time(hour):
    day, hour = divmod(hour, 24)
    return f"2000-06-{5 + int(day):02}T{int(hour):02}:{round(hour % 1 * 60):02}:00+00:00"


@pytest.fixture
def validate(tmp_path):
    def run(rows, *limits):
        write_table(tmp_path / "data", rows)
        step([f"--data={tmp_path / 'data'}", f"--report={tmp_path / 'report'}", *limits])
        return json.loads((tmp_path / "report").read_text())

    return run


def refused(validate, rows, *limits):
    with pytest.raises(StepError) as error:
        validate(rows, *limits)
    return str(error.value)


def test_good_rows_are_summed_up(validate):
    report = validate([row(0, "5"), row(1, "7.5"), row(2, "6")])
    assert report == {
        "rows": 3, "first": time(0), "last": time(2), "min_load": 5, "max_load": 7.5, "gaps": [], "gap_hours": 0,
    }


def test_half_hours_are_good_too(validate):
    assert validate([row(0, end=0.5), row(0.5, end=1, number=3), row(1)])["gap_hours"] == 0


@pytest.mark.parametrize(
    "bad, message",
    [
        (row(1, "many"), "a.csv, row 3: load 'many' is not a number"),
        (row(1, ""), "a.csv, row 3: load '' is not a number"),
        (row(1, "1,2"), "a.csv, row 3: load '1,2' is not a number"),
        (row(1, "nan"), "a.csv, row 3: load nan is outside 1 to 200000"),
        (row(1, "inf"), "a.csv, row 3: load inf is outside"),
        (row(1, "-5"), "a.csv, row 3: load -5 is outside"),
        (row(1, "200000.1"), "a.csv, row 3: load 200000.1 is outside"),
        (row(1, "0.9"), "a.csv, row 3: load 0.9 is outside"),
        (row(1, end=1), "a.csv, row 3: from start"),
        (row(1, end=0), "a.csv, row 3: from start"),
        (row(1, end=2.5), "is not more than nothing and at most one hour"),
        (Row("noon", time(2), "5", "b.csv", 9), "b.csv, row 9: start 'noon' is not a time with its UTC offset"),
        (Row(time(1), "2000-06-05 02:00", "5", "b.csv", 9), "b.csv, row 9: end '2000-06-05 02:00' is not a time"),
    ],
)
def test_a_bad_row_is_named(validate, bad, message):
    assert message in refused(validate, [row(0), bad, row(3)])


def test_the_limits_themselves_are_inside(validate):
    validate([row(0, "1"), row(1, "200000")])
    assert "outside 1 to 99" in refused(validate, [row(0, "100")], "--max-load=99")
    assert "outside 101 to" in refused(validate, [row(0, "100")], "--min-load=101")


def test_one_start_with_two_values_names_both_rows(validate):
    message = refused(validate, [row(0), row(0, "101", file="b.csv", number=7), row(1)])
    assert "b.csv, row 7: start" in message
    assert "is there already with another value (a.csv, row 2)" in message


def test_an_overlap_is_named(validate):
    assert "b.csv, row 4: it overlaps with a.csv, row 2" in refused(validate, [row(0), row(0.5, file="b.csv", number=4)])


def test_a_hole_up_to_the_limit_is_reported_and_let_pass(validate):
    report = validate([row(0), row(25)])
    assert report["gap_hours"] == 24
    assert report["gaps"] == [{"from": time(1), "to": time(25), "hours": 24}]


def test_a_longer_hole_fails_at_the_row_after_it(validate):
    assert "a.csv, row 28: 25 h without data before it, more than 24" in refused(validate, [row(0), row(26)])
    assert "a.csv, row 4: 1 h without data" in refused(validate, [row(0), row(2)], "--max-gap-hours=0.5")


def test_one_bad_row_is_one(validate):
    assert refused(validate, [row(0, "x")]) == "1 bad row\n  a.csv, row 2: load 'x' is not a number"


def test_all_bad_rows_up_to_a_number_are_named(validate):
    message = refused(validate, [row(hour, "x") for hour in range(SHOWN + 3)])
    assert message.startswith(f"{SHOWN + 3} bad rows")
    assert len(message.splitlines()) == 1 + SHOWN + 1
    assert message.endswith("… and 3 more")
    assert "more" not in refused(validate, [row(hour, "x") for hour in range(SHOWN)])


def test_no_rows_and_other_columns(validate, tmp_path):
    assert "no rows" in refused(validate, [])
    (tmp_path / "data").write_text("a,b\n")
    with pytest.raises(StepError, match="the columns of the data are not start,end,load,file,row"):
        step([f"--data={tmp_path / 'data'}", f"--report={tmp_path / 'report'}"])
