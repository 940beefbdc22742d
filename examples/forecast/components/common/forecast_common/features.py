"""From hourly load to the frame that the models take, the same code for training and for serving.

A registered model holds the fitted encoder and scaler (made by `transformer`), so its input is the plain
frame of `frame`. What frame needs beside the series (country, time zone) is in the model's metadata.
"""

from zoneinfo import ZoneInfo

import pandas as pd

from forecast_common.step import StepError

CALENDAR = {"month": list(range(1, 13)), "weekday": list(range(7)), "hour": list(range(24))}
LAGS = range(24, 49)  # hours; from 24 on, so that a whole day can be forecast at once
LAG_COLUMNS = [f"lag_{lag}" for lag in LAGS]
COLUMNS = [*CALENDAR, "holiday", *LAG_COLUMNS]


def hourly(starts, loads):
    """The mean load of each hour, on a gapless UTC index; an hour without a measurement is NaN."""
    index = pd.to_datetime(starts, utc=True, format="ISO8601")
    return pd.Series(list(loads), index=pd.DatetimeIndex(index), dtype=float).resample("1h").mean()


def named_holidays(country):
    """The holidays of `GB`, or of a part of it with ISO 3166-2's code, `GB-ENG`."""
    import holidays

    code, _, subdivision = country.partition("-")
    try:
        return holidays.country_holidays(code, subdiv=subdivision or None)
    except NotImplementedError as error:
        raise StepError(f"country {country!r}: {error}") from None


def local_time(hours, zone):
    try:
        return hours.tz_convert(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):  # ValueError: a path; OSError: a folder of the data base
        raise StepError(f"timezone {zone!r} is not a name of the time zone database") from None


def frame(load, hours, country, zone):
    """The features of each of `hours` (UTC), from the hourly `load` before them.

    `hours` may reach 24 h past the end of `load`: that is the forecast. A lag that `load` lacks is NaN.
    """
    local = local_time(hours, zone)
    off = named_holidays(country)
    table = pd.DataFrame(
        {
            "month": local.month,
            "weekday": local.day_of_week,
            "hour": local.hour,
            "holiday": [int(day in off) for day in local.date],
        },
        index=hours,
    )
    for lag, column in zip(LAGS, LAG_COLUMNS):
        table[column] = load.reindex(hours - pd.Timedelta(hours=lag)).to_numpy()
    return table


def transformer():
    """Calendar columns one-hot, everything to standard scale; not fitted.

    The categories are given, not learned: a month that training never saw must not stop serving.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    one_hot = OneHotEncoder(categories=list(CALENDAR.values()), sparse_output=False)
    encode = ColumnTransformer([("calendar", one_hot, list(CALENDAR))], remainder="passthrough")
    return Pipeline([("encode", encode), ("scale", StandardScaler())])
