"""The cases of `expiry.json`: spellings of `_session_expiry`, for the real Djangos to read."""

NOW = 1700000000  # 2023-11-14T22:13:20Z


def case(name, stored, now=NOW, modification=None, cookie_age=1209600, browser_close_setting=False):
    """`stored` is JSON text; None means that the session has no such key."""
    return {
        "id": name,
        "stored": stored,
        "now": now,
        "modification": modification,
        "cookie_age": cookie_age,
        "browser_close_setting": browser_close_setting,
    }


def every_case():
    yield case("nothing-stored", None)
    yield case("nothing-stored-and-the-setting-says-browser-close", None, browser_close_setting=True)
    yield case("nothing-stored-and-a-short-cookie-age", None, cookie_age=60)
    yield case("nothing-stored-and-a-modification", None, modification=NOW - 1000)
    yield case("null", "null")
    yield case("null-and-the-setting-says-browser-close", "null", browser_close_setting=True)
    yield case("null-and-a-short-cookie-age", "null", cookie_age=60)
    yield case("seconds-against-the-setting-of-browser-close", "300", browser_close_setting=True)
    yield case("zero-with-a-short-cookie-age", "0", cookie_age=60)
    yield case("seconds-and-a-fractional-clock", "300", now=NOW + 0.75)
    yield case("seconds-and-a-modification", "300", modification=NOW - 1000)
    yield case("seconds-and-a-later-modification", "300", modification=NOW + 1000)
    for name, stored in [
        ("zero", "0"),
        ("minus-zero", "-0"),
        ("float-zero", "0.0"),
        ("minus-float-zero", "-0.0"),
        ("one", "1"),
        ("five-minutes", "300"),
        ("sixty-days", "5184000"),
        ("minus-one", "-1"),
        ("minus-five", "-5"),
        ("one-and-a-half", "1.5"),
        ("three-hundred-and-a-bit", "300.999"),
        ("a-float-without-a-fraction", "300.0"),
        ("a-negative-float", "-2.5"),
        ("a-small-float", "1e-09"),
        ("a-float-with-an-exponent", "1e5"),
        ("a-tenth", "0.1"),
        ("two-to-the-31", "2147483648"),
        ("two-to-the-63", "9223372036854775808"),
        ("an-integer-of-thirty-digits", "123456789012345678901234567890"),
        ("minus-two-to-the-63", "-9223372036854775808"),
        ("seconds-up-to-the-year-9999", "251702300799"),
        ("seconds-into-the-year-10000", "251702300800"),
        ("seconds-back-to-the-year-1", "-63835596800"),
        ("seconds-back-before-the-year-1", "-63835596801"),
        ("a-float-that-overflows", "1e999"),
        ("a-huge-float", "1e300"),
        ("false", "false"),
        ("true", "true"),
        ("an-empty-string", '""'),
        ("an-empty-list", "[]"),
        ("an-empty-object", "{}"),
        ("a-list", "[300]"),
        ("an-object", '{"seconds":300}'),
        ("a-date-with-offset-zero", '"2030-01-01T00:00:00+00:00"'),
        ("a-date-with-microseconds", '"2030-01-01T00:00:00.250000+00:00"'),
        ("a-date-with-one-microsecond", '"2023-11-15T22:13:20.000001+00:00"'),
        ("a-date-with-milliseconds", '"2030-01-01T00:00:00.250+00:00"'),
        ("a-date-a-microsecond-short-of-a-day", '"2023-11-15T22:13:19.999999+00:00"'),
        ("a-date-with-one-fraction-digit", '"2030-01-01T00:00:00.5+00:00"'),
        ("a-date-with-nine-fraction-digits", '"2030-01-01T00:00:00.123456789+00:00"'),
        ("a-date-with-a-comma", '"2030-01-01T00:00:00,250000+00:00"'),
        ("a-date-ahead-of-utc", '"2030-01-01T00:00:00+02:00"'),
        ("a-date-half-an-hour-ahead", '"2030-01-01T00:00:00+05:30"'),
        ("a-date-three-quarters-behind", '"2030-01-01T00:00:00-09:45"'),
        ("a-date-behind-utc", '"2030-01-01T00:00:00-08:00"'),
        ("a-date-with-minus-zero", '"2030-01-01T00:00:00-00:00"'),
        ("a-date-with-an-offset-of-seconds", '"2030-01-01T00:00:00+01:02:03"'),
        ("a-date-with-an-offset-without-colon", '"2030-01-01T00:00:00+0200"'),
        ("a-date-with-an-offset-of-hours", '"2030-01-01T00:00:00+02"'),
        ("a-date-with-an-offset-of-a-day", '"2030-01-01T00:00:00+24:00"'),
        ("a-date-with-z", '"2030-01-01T00:00:00Z"'),
        ("a-date-with-small-z", '"2030-01-01T00:00:00z"'),
        ("a-date-with-a-space", '"2030-01-01 00:00:00+00:00"'),
        ("a-date-with-small-t", '"2030-01-01t00:00:00+00:00"'),
        ("a-date-without-seconds", '"2030-01-01T00:00+00:00"'),
        ("a-date-in-basic-format", '"20300101T000000+0000"'),
        ("a-date-of-now", '"2023-11-14T22:13:20+00:00"'),
        ("a-date-a-second-ago", '"2023-11-14T22:13:19+00:00"'),
        ("a-date-long-past", '"1970-01-01T00:00:00+00:00"'),
        ("the-first-date", '"0001-01-01T00:00:00+00:00"'),
        ("the-last-date", '"9999-12-31T23:59:59.500000+00:00"'),
        ("a-date-before-the-first-once-in-utc", '"0001-01-01T00:00:00+01:00"'),
        ("a-date-past-the-last-once-in-utc", '"9999-12-31T23:59:59-01:00"'),
        ("a-naive-date", '"2030-01-01T00:00:00"'),
        ("a-naive-date-with-microseconds", '"2030-01-01T00:00:00.250000"'),
        ("a-day-alone", '"2030-01-01"'),
        ("a-week-date", '"2030-W01-1"'),
        ("eight-digits", '"20300101"'),
        ("the-thirtieth-of-february", '"2030-02-30T00:00:00+00:00"'),
        ("hour-twenty-four", '"2030-01-01T24:00:00+00:00"'),
        ("a-leap-second", '"2016-12-31T23:59:60+00:00"'),
        ("a-year-of-five-digits", '"10000-01-01T00:00:00+00:00"'),
        ("digits-in-a-string", '"300"'),
        ("zero-in-a-string", '"0"'),
        ("junk", '"tomorrow"'),
        ("a-date-with-a-leading-space", '" 2030-01-01T00:00:00+00:00"'),
        ("a-date-with-a-trailing-line-feed", '"2030-01-01T00:00:00+00:00\\n"'),
        ("a-date-for-a-browser", '"Tue, 01 Jan 2030 00:00:00 GMT"'),
        ("a-date-in-arabic-digits", '"\\u0662\\u0660\\u0663\\u0660-01-01T00:00:00+00:00"'),
        ("a-lone-surrogate", '"\\ud800"'),
    ]:
        yield case(name, stored)
    yield case("a-date-and-a-fractional-clock", '"2030-01-01T00:00:00+00:00"', now=NOW + 0.5)
    yield case("a-date-and-a-modification", '"2030-01-01T00:00:00+00:00"', modification=NOW + 86400)
    yield case("a-date-and-a-fractional-modification", '"2030-01-01T00:00:00+00:00"', modification=NOW + 0.25)
    yield case("a-past-date-and-a-fractional-clock", '"2023-11-14T22:13:20+00:00"', now=NOW + 0.5)
