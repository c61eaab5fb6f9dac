//! Holds that only legal cookies are written, and that a cookie is read by its very name and nothing else.

use std::thread;

use signed_session::{ConfigError, Cookie, CookieOptions, EncodeError, SameSite};
use support::set_cookie::{Said, parse, parse_date};
use time::{Duration, OffsetDateTime};

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn options(name: &str) -> CookieOptions {
    CookieOptions::new(name).unwrap()
}

fn read_back(cookie: &Cookie<'_>) -> Said {
    let header = cookie.to_string();
    parse(&header).unwrap_or_else(|| panic!("not a legal cookie: {header:?}"))
}

#[test]
fn the_reader_of_these_tests_knows_dates_and_what_is_not_legal() {
    for (date, seconds) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000),
        ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ("Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800),
    ] {
        assert_eq!(parse_date(date), Some(seconds), "{date}");
    }
    for date in [
        "Fri, 01 Jan 1970 00:00:00 GMT",
        "Thu, 1 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 UTC",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Mon, 01 Jan -999 00:00:00 GMT",
        "Thu, 01 Jan 1970 24:00:00 GMT",
    ] {
        assert_eq!(parse_date(date), None, "{date}");
    }
    let short = ["=v", "n", "n=v; ", "n=v\n", "n=\"v\"", "n n=v"];
    let long = [
        "n=v;Secure",
        "n=v; Secure; Secure",
        "n=v; secure",
        "n=v; Path=/; Path=/a",
        "n=v; Path=a",
        "n=v; SameSite=lax",
        "n=v; Other",
        "n=v; Max-Age=1.5",
    ];
    for header in short.into_iter().chain(long) {
        assert_eq!(parse(header), None, "{header}");
    }
}

// What is refused.

#[test]
fn a_name_that_is_not_a_token_is_refused() {
    let short = [
        "", " ", "a b", " a", "a ", "a\t", "a=b", "=", "a;b", ";", "a,b", "a\"", "a\\b", "a/b",
        "a:b", "(a)", "<a>", "[a]", "{a}", "a@b", "a?", "a\0", "a\n", "\u{7f}", "é", "\u{a0}a",
    ];
    let long = ["a\r\nSet-Cookie: b=c", "a\u{200b}", "\u{1f36a}"];
    for name in short.into_iter().chain(long) {
        assert_eq!(CookieOptions::new(name).unwrap_err(), ConfigError::CookieName, "{name:?}");
    }
    for name in ["a", "sessionid", "__Host-id", "0", "!#$%&'*+-.^_`|~", "Session.ID"] {
        assert_eq!(options(name).name(), name);
    }
    assert_eq!(options(&"n".repeat(256)).name().len(), 256);
    assert_eq!(CookieOptions::new(&"n".repeat(257)).unwrap_err(), ConfigError::CookieName);
}

#[test]
fn a_path_that_could_say_more_than_a_path_is_refused() {
    let short =
        ["", "a", " /", "./", "/;", "/\n", "/\t", "/\0", "/\u{7f}", "/é", "/\u{a0}", "/ ", "/a "];
    let long = ["http://a/", "/; Domain=evil.example", "/;HttpOnly", "/\r\nSet-Cookie: a=b"];
    for path in short.into_iter().chain(long) {
        let refused = options("id").path(path).unwrap_err();
        assert_eq!(refused, ConfigError::CookiePath, "{path:?}");
    }
    for path in ["/", "/a/b", "/a b", "/a,b=c", "/%20", "/~\"a\"\\"] {
        let cookie = options("id").path(path).unwrap().removal();
        assert_eq!(read_back(&cookie).path.as_deref(), Some(path));
    }
    let longest = format!("/{}", "p".repeat(1023));
    let cookie = options("id").path(&longest).unwrap().removal();
    assert_eq!(read_back(&cookie).path, Some(longest.clone()));
    assert_eq!(options("id").path(&(longest + "p")).unwrap_err(), ConfigError::CookiePath);
}

#[test]
fn a_domain_that_is_not_a_host_name_is_refused() {
    let short = [
        "", ".", "..", "..a", "a..b", "a.", "a b", " a", "a ", "a;b", "a,b", "a=b", "a/b", "a:80",
        "[::1]", "*.a", "a\n", "a\0", "a\t", "\u{7f}", "a%2eb", "-", "-a", "a-", "a.-b.c",
    ];
    let long = ["a; Path=/", "a\r\nSet-Cookie: b=c", "bücher.example", "a\u{3002}b"];
    for domain in short.into_iter().chain(long) {
        let refused = options("id").domain(domain).unwrap_err();
        assert_eq!(refused, ConfigError::CookieDomain, "{domain:?}");
    }
    for (domain, said) in [
        ("example.com", "example.com"),
        (".example.com", "example.com"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a_b.example", "a_b.example"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        let cookie = options("id").domain(domain).unwrap().removal();
        assert_eq!(read_back(&cookie).domain.as_deref(), Some(said));
    }
    let label = "l".repeat(63);
    assert!(options("id").domain(&label).is_ok());
    assert_eq!(
        options("id").domain(&(label.clone() + "l")).unwrap_err(),
        ConfigError::CookieDomain
    );
    let longest = format!("{label}.{label}.{label}.{}", &label[2..]);
    assert_eq!(longest.len(), 253);
    assert!(options("id").domain(&longest).is_ok());
    let too_long = format!("{label}.{label}.{label}.{}", &label[1..]);
    assert_eq!(options("id").domain(&too_long).unwrap_err(), ConfigError::CookieDomain);
}

#[test]
fn a_value_with_a_character_that_no_cookie_may_hold_is_refused() {
    for byte in 0..=u8::MAX {
        let character = char::from(byte);
        let legal = matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E);
        for value in [format!("{character}"), format!("a{character}b"), format!("ab{character}")] {
            let cookie = options("id").cookie(&value, None, at(0));
            match cookie {
                Ok(cookie) => {
                    assert!(legal, "{value:?}");
                    assert_eq!(read_back(&cookie).value, value);
                }
                Err(error) => {
                    assert!(!legal, "{value:?}");
                    assert_eq!(error, EncodeError::CookieValue);
                }
            }
        }
    }
    for value in ["v; Domain=evil.example", "v\r\nSet-Cookie: a=b", "\u{1f36a}", "a\u{2028}"] {
        let refused = options("id").cookie(value, None, at(0)).unwrap_err();
        assert_eq!(refused, EncodeError::CookieValue, "{value:?}");
    }
}

#[test]
fn name_and_value_have_4096_bytes_at_most() {
    for name in ["a", "sessionid", &"n".repeat(256)] {
        let most = "v".repeat(4096 - name.len());
        let cookie = options(name).cookie(&most, None, at(0)).unwrap();
        assert_eq!(read_back(&cookie).value, most);
        let refused = options(name).cookie(&(most + "v"), None, at(0)).unwrap_err();
        assert_eq!(refused, EncodeError::TooLarge { len: 4097, limit: 4096, entries: Vec::new() });
    }
}

// What browsers insist on.

#[test]
fn a_host_cookie_in_any_case_has_the_root_path_and_no_domain() {
    for name in ["__Host-id", "__host-id", "__HOST-id", "__hOsT-", "__Host-Http-id"] {
        assert_eq!(options(name).path("/a").unwrap_err(), ConfigError::HostPrefix, "{name}");
        assert_eq!(
            options(name).domain("a.example").unwrap_err(),
            ConfigError::HostPrefix,
            "{name}"
        );
        // Nor later, whatever was set before.
        let set = || {
            let set = options(name).path("/").unwrap().secure(false).http_only(false);
            set.same_site(None).partitioned(true)
        };
        assert_eq!(set().path("/a").unwrap_err(), ConfigError::HostPrefix, "{name}");
        assert_eq!(set().domain("a.example").unwrap_err(), ConfigError::HostPrefix, "{name}");
        let said = read_back(&set().partitioned(false).cookie("v", None, at(0)).unwrap());
        assert_eq!((said.path.as_deref(), said.domain, said.secure), (Some("/"), None, true));
    }
    // What only looks like the prefix is not held to it.
    for name in ["__Hostid", "_Host-id", "Host-id", "a__Host-id", "__Host_id", "__Secure-id"] {
        let cookie = options(name).path("/a").unwrap().domain("a.example").unwrap().removal();
        assert_eq!(read_back(&cookie).domain.as_deref(), Some("a.example"), "{name}");
    }
}

#[test]
fn what_browsers_take_over_https_alone_is_always_secure() {
    let insecure = |name| options(name).secure(false);
    let said = |options: CookieOptions| {
        let (cookie, removal) = (options.cookie("v", None, at(0)).unwrap(), options.removal());
        let secure = read_back(&cookie).secure;
        assert_eq!(read_back(&removal).secure, secure);
        // Who writes the attributes out by other means is told the same.
        assert_eq!((cookie.secure(), removal.secure()), (Some(secure), Some(secure)));
        secure
    };
    for name in ["__Secure-id", "__secure-id", "__SECURE-", "__Host-id", "__host-id", "__Http-id"] {
        assert!(said(insecure(name)), "{name}");
    }
    assert!(said(insecure("id").same_site(SameSite::None)));
    assert!(said(insecure("id").partitioned(true)));
    // In the other order, too.
    assert!(said(options("id").same_site(SameSite::None).secure(false)));
    assert!(said(options("id").partitioned(true).secure(false)));

    assert!(!said(insecure("id")));
    assert!(!said(insecure("id").same_site(SameSite::Strict)));
    assert!(!said(insecure("id").same_site(None)));
    assert!(!said(insecure("id").same_site(SameSite::None).same_site(SameSite::Lax)));
    assert!(!said(insecure("id").partitioned(true).partitioned(false)));
    assert!(!said(insecure("__Secureid")));
    assert!(said(options("id")), "the default");
}

#[test]
fn by_default_a_cookie_is_django_s_but_secure() {
    let cookie = options("sessionid").cookie("v", Some(Duration::WEEK), at(1_700_000_000)).unwrap();
    let expected = Said {
        name: "sessionid".to_owned(),
        value: "v".to_owned(),
        path: Some("/".to_owned()),
        secure: true,
        http_only: true,
        same_site: Some("Lax".to_owned()),
        max_age: Some(604_800),
        expires: Some(1_700_604_800),
        ..Said::default()
    };
    assert_eq!(read_back(&cookie), expected);
    let cookie = options("sessionid").cookie("v", None, at(1_700_000_000)).unwrap();
    assert_eq!(read_back(&cookie), Said { max_age: None, expires: None, ..expected });
}

#[test]
fn a_cookie_s_date_is_a_legal_one_however_far_off() {
    const LAST: i64 = 253_402_300_799;
    for now in [0, 1_700_000_000, LAST] {
        for max_age in [Duration::MAX, Duration::seconds(LAST), Duration::ZERO, Duration::MIN] {
            let cookie = options("id").cookie("v", Some(max_age), at(now)).unwrap();
            let header = cookie.to_string();
            let said = parse(&header);
            assert!(said.is_some(), "{header}");
            let said = said.unwrap();
            assert_eq!(said.max_age, Some(max_age.whole_seconds()));
            let expires = now.saturating_add(max_age.whole_seconds()).min(LAST);
            if max_age.is_negative() {
                assert!(said.expires <= Some(now), "{header}");
            } else {
                assert_eq!(said.expires, Some(expires), "{header}");
            }
        }
    }
}

// Whatever is set.

/// SplitMix64: as good as any, and the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Up to `max_len` characters, one text in eight with one that does not belong there.
    fn text(&mut self, alphabet: &str, max_len: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut text: Vec<char> =
            (0..self.below(max_len + 1)).map(|_| self.pick(&alphabet)).collect();
        if self.below(8) == 0 {
            let stranger =
                self.pick(&[';', ',', '=', '\n', '\r', '\0', '\t', ' ', '"', '\\', 'é', '\u{7f}']);
            text.insert(self.below(text.len() + 1), stranger);
        }
        text.into_iter().collect()
    }
}

#[test]
fn a_million_sets_of_options_are_refused_or_written_as_meant() {
    let threads = [1, 2, 3, 4].map(|seed| thread::spawn(move || check_options(seed, 250_000)));
    for thread in threads {
        let (built, refused) = thread.join().unwrap();
        assert!(built > 75_000 && refused > 75_000, "{built} built, {refused} refused");
    }
}

/// Returns how many sets of options were built, and how many refused.
fn check_options(seed: u64, count: u32) -> (u32, u32) {
    let mut random = Random(seed);
    let (mut built, mut refused) = (0, 0);
    for _ in 0..count {
        let prefix = random.pick(&[
            "",
            "",
            "",
            "__Host-",
            "__host-",
            "__Secure-",
            "__SECURE-",
            "__Host",
            "__HTTP-",
            "__Host-Http-",
        ]);
        let name = prefix.to_owned() + &random.text("abzABZ019!#$%&'*+-.^_`|~", 12);
        let path = random.pick(&["/", "/", ""]).to_owned() + &random.text("ab/.~% ,=\"'", 6);
        let domain = random.pick(&["", "."]).to_owned() + &random.text("aZ0-.", 8);
        let value = random.text("aZ09-_.:!#$%&'()*+/<=>?@[]^`{|}~", 60);
        let with_path = random.below(2) == 0;
        let with_domain = random.below(3) == 0;
        let [secure, http_only, partitioned] = [(); 3].map(|()| random.below(2) == 0);
        let same_site =
            random.pick(&[None, Some(SameSite::Strict), Some(SameSite::Lax), Some(SameSite::None)]);
        let now = i64::try_from(random.next() % 200_000_000_000).unwrap();
        let max_age = (random.below(4) > 0)
            .then(|| i64::try_from(random.next() % 100_000_000_000).unwrap() >> random.below(40));

        // What is legal, once more in other words.
        let begins = |prefix: &str| name.to_ascii_lowercase().starts_with(prefix);
        let host = begins("__host-");
        let prefixed = host || begins("__secure-") || begins("__http-");
        let hidden = begins("__http-") || begins("__host-http-");
        let name_fits = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_graphic() && !";,=\"\\".contains(c));
        let path_fits = path.starts_with('/')
            && !path.ends_with(' ')
            && path.chars().all(|c| c == ' ' || c.is_ascii_graphic() && c != ';');
        let bare_domain = domain.strip_prefix('.').unwrap_or(&domain);
        let between_dots = format!(".{bare_domain}.");
        let domain_fits = !["..", ".-", "-."].iter().any(|odd| between_dots.contains(odd))
            && bare_domain.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        let value_fits = value.chars().all(|c| c.is_ascii_graphic() && !"\",;\\".contains(c));
        let meant_to_fail = !name_fits
            || with_path && (!path_fits || host && path != "/")
            || with_domain && (!domain_fits || host)
            || !value_fits;

        let make = |random: &mut Random| {
            let mut options = CookieOptions::new(&name).map_err(drop)?;
            // The setters in any order.
            let mut setters = [0, 1, 2, 3, 4, 5];
            (1..6).for_each(|at| setters.swap(at, random.below(at + 1)));
            for setter in setters {
                options = match setter {
                    0 if with_path => options.path(&path).map_err(drop)?,
                    1 if with_domain => options.domain(&domain).map_err(drop)?,
                    2 => options.secure(secure),
                    3 => options.http_only(http_only),
                    4 => options.same_site(same_site),
                    5 => options.partitioned(partitioned),
                    _ => options,
                };
            }
            let cookie = options.cookie(&value, max_age.map(Duration::seconds), at(now));
            Ok::<_, ()>((cookie.map_err(drop)?, options.removal()))
        };
        let Ok((cookie, removal)) = make(&mut random) else {
            assert!(meant_to_fail, "{name:?} {path:?} {domain:?} {value:?}");
            refused += 1;
            continue;
        };
        assert!(!meant_to_fail, "{name:?} {path:?} {domain:?} {value:?}");
        built += 1;

        let meant = Said {
            name,
            value,
            path: Some(if with_path { path } else { "/".to_owned() }),
            domain: with_domain.then(|| bare_domain.to_owned()),
            secure: secure || partitioned || same_site == Some(SameSite::None) || prefixed,
            http_only: http_only || hidden,
            partitioned,
            same_site: same_site.map(|site| site.to_string()),
            max_age,
            expires: max_age.map(|max_age| (now + max_age).min(253_402_300_799)),
        };
        assert_eq!(read_back(&cookie), meant);
        let removed = Said {
            value: String::new(),
            // As Django: none, except that browsers ignore it for such a name without.
            http_only: hidden,
            max_age: Some(0),
            expires: Some(0),
            ..meant
        };
        assert_eq!(read_back(&removal), removed);
    }
    (built, refused)
}

#[test]
fn max_age_and_expires_agree_to_the_second() {
    for (now_millis, max_age_millis) in
        [(0, 1_500), (999, 1), (999, 1_000), (400, 500), (0, 999), (0, -1_500), (999, -1)]
    {
        let now = at(1_700_000_000) + Duration::milliseconds(now_millis);
        let max_age = Duration::milliseconds(max_age_millis);
        let said = read_back(&options("id").cookie("v", Some(max_age), now).unwrap());
        let by_expires = said.expires.unwrap() - now.unix_timestamp();
        assert!((by_expires - said.max_age.unwrap()).abs() <= 1, "{now} {max_age}: {said:?}");
    }
}

#[test]
fn the_removal_replaces_the_cookie_that_was_set_and_is_over() {
    for options in [
        options("sessionid"),
        options("__Host-id").secure(false).same_site(SameSite::None).partitioned(true),
        options("__Secure-id").path("/a").unwrap().domain("a.example").unwrap().same_site(None),
        options("id")
            .secure(false)
            .http_only(false)
            .path("/a/b")
            .unwrap()
            .same_site(SameSite::Strict),
    ] {
        let set = read_back(&options.cookie("v", Some(Duration::DAY), at(1_700_000_000)).unwrap());
        let removal = read_back(&options.removal());
        let what_counts = |said: &Said| {
            let Said { name, path, domain, secure, same_site, partitioned, .. } = said;
            format!("{name} {path:?} {domain:?} {secure} {same_site:?} {partitioned}")
        };
        assert_eq!(what_counts(&set), what_counts(&removal));
        assert_eq!((&*removal.value, removal.max_age, removal.expires), ("", Some(0), Some(0)));
    }
}

// Reading.

#[test]
fn a_cookie_is_found_by_its_very_name_and_comes_as_it_stands() {
    let table: &[(&str, &[&str])] = &[
        // none
        ("", &[]),
        (";", &[]),
        (" ; ;; ", &[]),
        ("theme=dark", &[]),
        ("sessionid", &[]),
        ("theme=sessionid=v", &[]),
        ("theme=\"; sessionid=v\"", &["v\""]),
        // one, wherever it stands and however it is spaced
        ("sessionid=v", &["v"]),
        ("theme=dark; sessionid=v; lang=fr", &["v"]),
        ("theme=dark;sessionid=v;lang=fr", &["v"]),
        (";;sessionid=v;;", &["v"]),
        ("  sessionid  =  v  ", &["v"]),
        ("\tsessionid\t=\tv\t", &["v"]),
        (" \t sessionid \t = \t v \t ;a=b", &["v"]),
        ("sessionid=v w", &["v w"]),
        // several, in order
        ("sessionid=1; sessionid=2; a=b; sessionid=1", &["1", "2", "1"]),
        ("sessionid=; sessionid=2", &["", "2"]),
        // another name
        ("SessionID=v", &[]),
        ("SESSIONID=v", &[]),
        ("sessionid2=v", &[]),
        ("xsessionid=v", &[]),
        ("session id=v", &[]),
        ("session=id=v", &[]),
        ("__Host-sessionid=v", &[]),
        ("__Secure-sessionid=v", &[]),
        ("$sessionid=v", &[]),
        ("\"sessionid\"=v", &[]),
        ("sessionid,=v", &[]),
        ("a=b, sessionid=v", &[]),
        ("sessionid[0]=v", &[]),
        ("sessionid%20=v", &[]),
        ("%73essionid=v", &[]),
        ("sessi\u{43e}nid=v", &[]),
        // nameless
        ("=sessionid=v", &[]),
        ("=v", &[]),
        ("=sessionid", &[]),
        (" = sessionid=v", &[]),
        // white space that only Unicode trims, and control characters
        ("\u{a0}sessionid=v", &[]),
        ("sessionid\u{a0}=v", &[]),
        ("\u{3000}sessionid=v", &[]),
        ("\u{feff}sessionid=v", &[]),
        ("\u{85}sessionid=v", &[]),
        ("\nsessionid=v", &[]),
        ("sessionid\r=v", &[]),
        ("\u{b}sessionid=v", &[]),
        ("\u{c}sessionid=v", &[]),
        ("\0sessionid=v", &[]),
        ("sessionid=\u{a0}v\u{2003}", &["\u{a0}v\u{2003}"]),
        ("sessionid=v\r\n", &["v\r\n"]),
        // the value as it stands
        ("sessionid=", &[""]),
        ("sessionid= ", &[""]),
        ("sessionid==", &["="]),
        ("sessionid=a=b=c", &["a=b=c"]),
        ("sessionid=sessionid=v", &["sessionid=v"]),
        ("sessionid=\"v\"", &["\"v\""]),
        ("sessionid=\"a; sessionid=b\"", &["\"a", "b\""]),
        ("sessionid=\\\"v\\073", &["\\\"v\\073"]),
        ("sessionid=a%3Bb%20%00+c", &["a%3Bb%20%00+c"]),
        ("sessionid=a,b", &["a,b"]),
        ("sessionid=zoë", &["zoë"]),
        ("$Version=1; sessionid=v; $Path=/", &["v"]),
    ];
    for (header, expected) in table {
        let found: Vec<&str> = options("sessionid").find(header).collect();
        assert_eq!(found, *expected, "{header:?}");
    }
    // A prefix is part of the name, its case too.
    let host = options("__Host-id");
    let header = "__host-id=1; __Host-id=2; id=3; __Host-ID=4; \u{2002}__Host-id=5";
    assert_eq!(host.find(header).collect::<Vec<_>>(), ["2"]);
}

#[test]
fn a_header_of_separators_or_many_cookies_is_read_to_its_end() {
    let header = ";".repeat(100_000) + "sessionid=v" + &"; ".repeat(100_000);
    assert_eq!(options("sessionid").find(&header).collect::<Vec<_>>(), ["v"]);
    let header = "a=b; sessionid=v; =; ".repeat(10_000);
    assert_eq!(options("sessionid").find(&header).count(), 10_000);
}

#[test]
fn what_was_written_is_found_again() {
    let cookie = options("__Secure-s.id").cookie("e30:1r31eq:a-b_c=", None, at(0)).unwrap();
    let header = format!("a=b; {}; c=d", cookie.stripped());
    let found: Vec<&str> = options("__Secure-s.id").find(&header).collect();
    assert_eq!(found, ["e30:1r31eq:a-b_c="]);
}
