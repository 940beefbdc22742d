import numpy as np
import pandas as pd
import pytest

from forecast_common import features
from forecast_common.step import StepError


def ramp(start, hours):
    """A series whose load is the number of the hour."""
    index = pd.date_range(start, periods=hours, freq="1h", tz="UTC")
    return pd.Series(np.arange(hours, dtype=float), index=index)


def test_half_hours_become_the_mean_of_their_hour():
    starts = ["2000-06-05 00:00:00+00:00", "2000-06-05 00:30:00+00:00", "2000-06-05 02:00:00+00:00"]
    load = features.hourly(starts, [10, 20, 7])
    assert load.iloc[0] == 15
    assert np.isnan(load.iloc[1]), "an hour without data is a hole, not a guess"
    assert load.iloc[2] == 7


def test_lags_look_back_24_to_48_hours():
    load = ramp("2000-06-05", 60)
    table = features.frame(load, load.index, "GB", "Europe/London")
    assert list(table.columns) == features.COLUMNS
    assert [c for c in table.columns if c.startswith("lag_")] == [f"lag_{n}" for n in range(24, 49)]
    assert table["lag_24"].iloc[50] == 26
    assert table["lag_48"].iloc[50] == 2
    assert np.isnan(table["lag_48"].iloc[47])
    assert not table.iloc[48:].isna().any().any()


def test_the_day_after_the_series_can_be_forecast():
    load = ramp("2000-06-05", 48)
    tomorrow = pd.date_range(load.index[-1] + pd.Timedelta(hours=1), periods=24, freq="1h")
    table = features.frame(load, tomorrow, "GB", "Europe/London")
    assert not table.isna().any().any()
    assert table["lag_24"].tolist() == list(range(24, 48))


def test_the_calendar_is_local_also_over_a_clock_change():
    load = ramp("2015-03-28 22:00", 6)  # Rome leaves winter time at 01:00 UTC
    table = features.frame(load, load.index, "IT", "Europe/Rome")
    assert table["hour"].tolist() == [23, 0, 1, 3, 4, 5]
    assert table["weekday"].tolist() == [5, 6, 6, 6, 6, 6]
    assert table["month"].tolist() == [3] * 6


def test_holidays_are_the_country_s_and_local():
    hours = pd.DatetimeIndex(["2015-06-01 22:00+00:00", "2015-06-02 12:00+00:00", "2015-06-02 22:00+00:00"])
    load = ramp("2015-05-20", 400)
    italy = features.frame(load, hours, "IT", "Europe/Rome")["holiday"].tolist()
    britain = features.frame(load, hours, "GB", "Europe/Rome")["holiday"].tolist()
    assert italy == [1, 1, 0], "Festa della Repubblica, from local midnight to local midnight"
    assert britain == [0, 0, 0]


def test_a_part_of_a_country_has_its_own_holidays():
    hours = pd.DatetimeIndex(["2000-08-28 12:00+00:00"])
    load = ramp("2000-08-20", 200)
    assert features.frame(load, hours, "GB-ENG", "Europe/London")["holiday"].tolist() == [1]
    assert features.frame(load, hours, "GB-SCT", "Europe/London")["holiday"].tolist() == [0]


@pytest.mark.parametrize("country, zone, message", [("XX", "UTC", "country 'XX'"), ("GB-XX", "UTC", "country 'GB-XX'"), ("GB", "Europe/Lundon", "timezone 'Europe/Lundon'"), ("GB", "", "timezone ''")])
def test_unknown_names_are_refused(country, zone, message):
    load = ramp("2000-06-05", 3)
    with pytest.raises(StepError, match=message):
        features.frame(load, load.index, country, zone)


def test_the_transformer_scales_all_and_takes_a_month_it_never_saw():
    june, january = ramp("2000-06-05", 200), ramp("2001-01-05", 200)
    train = features.frame(june, june.index, "GB", "Europe/London").dropna()
    later = features.frame(january, january.index, "GB", "Europe/London").dropna()
    fitted = features.transformer().fit(train)
    scaled = fitted.transform(train)
    assert scaled.shape[1] == 12 + 7 + 24 + 1 + 25
    assert np.allclose(scaled.mean(axis=0), 0)
    spread = scaled.std(axis=0)
    assert np.allclose(spread[spread > 1e-9], 1)
    assert np.isfinite(fitted.transform(later)).all()
