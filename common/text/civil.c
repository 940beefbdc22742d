#include "common/text/civil.h"

int64_t civil_floor_div(int64_t a, int64_t unit)
{
    return a / unit - (a % unit < 0);
}

/* Years begin in March here, so that the leap day is the last one; an era is 400 years. */
int64_t civil_to_days(struct civil date)
{
    const int64_t year = date.year - (date.month <= 2);
    const int64_t era = civil_floor_div(year, 400);
    const int64_t year_of_era = year - era * 400;
    const int64_t day_of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct civil civil_from_days(int64_t days)
{
    days += 719468;
    const int64_t era = civil_floor_div(days, 146097);
    const int64_t day_of_era = days - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t from_march = (5 * day_of_year + 2) / 153;
    const int day = (int)(day_of_year - (153 * from_march + 2) / 5) + 1;
    const int month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    return (struct civil){year_of_era + era * 400 + (month <= 2), month, day};
}

int civil_weekday(int64_t days)
{
    return (int)(days + 4 - civil_floor_div(days + 4, 7) * 7); /* 1970-01-01 was a Thursday */
}

int civil_month_days(int64_t year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return lengths[month - 1] + (month == 2 && leap);
}
