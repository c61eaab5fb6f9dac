//! Measures this crate beside its parts, its peers and the real Django, all in one run.
//!
//! ```sh
//! cargo bench --package signed-session-peers              # prints the tables
//! cargo bench --package signed-session-peers -- --write   # and writes docs/benchmarks.md and README.md
//! ```
//!
//! It fails where a goal is missed by more than a tenth. Times are the least of many rounds, in
//! which all take turns; on a busy machine let it take longer: `--seconds 300`.

mod child;
mod floors;
mod layer;
mod machine;
mod ours;
mod race;
mod real_django;
mod report;
mod rivals;
mod scaling;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use child::Child;
use floors::Floors;
use layer::{Ended, Untouched};
use ours::Ours;
use race::{Lane, Race};
use real_django::Django;
use report::{Bound, Row, number};
use rivals::Rival;
use signed_session::Compress;
use support::sample::{Auth, K1, K3, Sample, Tiny};
use time::OffsetDateTime;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let seconds = arguments.iter().position(|argument| argument == "--seconds");
    let seconds = seconds.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(75);

    let django = Django::start();
    let django_signing = rivals::start_django_signing();
    let mut race = Race::default();
    let now = OffsetDateTime::now_utc();
    let courses = [
        Course::enter::<Tiny>(&mut race, &django, &django_signing, Compress::Never, now),
        Course::enter::<Auth>(&mut race, &django, &django_signing, Compress::Never, now),
        Course::enter::<Auth>(&mut race, &django, &django_signing, Compress::IfShorter, now),
        Course::enter::<K1>(&mut race, &django, &django_signing, Compress::Never, now),
        Course::enter::<K1>(&mut race, &django, &django_signing, Compress::IfShorter, now),
        Course::enter::<K3>(&mut race, &django, &django_signing, Compress::Never, now),
        Course::enter::<K3>(&mut race, &django, &django_signing, Compress::IfShorter, now),
    ];
    let refusals = Refusals::enter(&mut race, now);
    let rotation: Vec<Lane> =
        (1..=8).map(|nth| ours::enter_rotation(&mut race, nth, now)).collect();
    let rounds = race.run(Duration::from_secs(seconds));

    let mut rows: Vec<Row> = courses.iter().flat_map(|course| course.rows(&race)).collect();
    rows.extend(refusals.rows(&race));
    rows.extend(rotation_rows(&race, courses[1].decoding.hmac, &rotation));
    rows.extend(layer_rows(now));
    rows.extend(ended_rows(now));
    rows.extend(scaling_rows(now));

    let about = machine::describe(&django.title);
    println!("{about}\n\nThe least of {rounds} rounds, in nanoseconds.\n");
    println!("{}", report::goals(&rows));
    let side_by_side = side_by_side(&race, &courses);
    let tables = format!("{side_by_side}\n{}", sizes(&race, &courses));
    println!("{tables}");
    if arguments.iter().any(|argument| argument == "--write") {
        write("docs/benchmarks.md", &format!("{tables}\n{about}"));
        write("README.md", excerpt(&side_by_side).trim_end());
    }
    let missed = rows.iter().filter(|row| row.is_missed()).count();
    if missed > 0 {
        eprintln!("error: {missed} of {} goals are missed by more than a tenth", rows.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Sessions of one size, compressed or not, and all that is timed with them.
struct Course {
    size: &'static str,
    is_compressed: bool,
    title: String,
    /// The bytes of a token, on average.
    token_len: usize,
    decoding: Floors,
    encoding: Floors,
    ours: Ours,
    rivals: Vec<Rival>,
    django: real_django::Lanes,
}

impl Course {
    fn enter<S: Sample>(
        race: &mut Race,
        django: &Django,
        django_signing: &Child,
        compress: Compress,
        now: OffsetDateTime,
    ) -> Self {
        let is_compressed = compress == Compress::IfShorter;
        let sessions = S::all();
        let json: Vec<String> =
            sessions.iter().map(|session| serde_json::to_string(session).expect("JSON")).collect();
        let form = if is_compressed { "compressed" } else { "plain" };
        let title = format!("{} {form}", S::NAME);
        // What is read was made by Django; what is made is measured by what it turns out to be.
        let read = django.tokens(&title, is_compressed, &json);
        let made = ours::tokens(&sessions, compress, now);
        let token_len = made.iter().map(String::len).sum::<usize>() / made.len();
        let decoding = floors::decoding::<S>(race, &read, &json);
        let encoding = floors::encoding(race, &made, &sessions, is_compressed);
        let ours = Ours::enter(race, &read, &sessions, compress, now);
        let mut rivals = vec![if is_compressed {
            rivals::django_signing_compressed::<S>(race, django_signing, &read)
        } else {
            rivals::django_signing_plain(race, &read, &sessions)
        }];
        if !is_compressed && S::NAME != Tiny::NAME {
            rivals.extend(rivals::own_formats(race, &sessions));
        }
        let django = django.enter(race, &title);
        let size = S::NAME;
        Self { size, is_compressed, title, token_len, decoding, encoding, ours, rivals, django }
    }

    fn rows(&self, race: &Race) -> Vec<Row> {
        let Self { size, is_compressed, decoding, encoding, ours, .. } = self;
        let ns = |lane: Lane| race.ns(lane);
        let mut rows = Vec::new();
        let mut row = |what, ns, against: &str, other_ns, bound| {
            let (session, against) = (self.title.clone(), against.to_owned());
            rows.push(Row { session, what, ns, against, other_ns, bound });
        };
        let (verify, hmac) = (ns(ours.verify), ns(decoding.hmac));
        row("verify", verify, "bare HMAC + 75 ns", hmac + 75.0, Bound::AtMost(1.0));
        if matches!(*size, "k1" | "k3") {
            row("verify", verify, "bare HMAC", hmac, Bound::AtMost(1.1));
        }

        let typed = ns(ours.decode_typed);
        let session = ns(ours.decode_session);
        let is_small = matches!(*size, "tiny" | "auth") && !is_compressed;
        let decode = Bound::AtMost(if is_small { 1.3 } else { 1.15 });
        let encode = Bound::AtMost(if *size == "tiny" { 1.25 } else { 1.15 });
        let over_struct = Bound::AtMost(if *size == "auth" { 1.15 } else { 1.0 });
        let (reading, making) = (decoding.sum(race), encoding.sum(race));
        row("decode, struct", typed, "sum of its parts", reading, decode);
        if *size != "tiny" {
            row("decode, `Session`, three read", session, "the struct", typed, over_struct);
        }
        row("encode, struct", ns(ours.encode_typed), "sum of its parts", making, encode);
        row("encode, `Session`", ns(ours.encode_session), "sum of its parts", making, encode);

        // The peers ask the clock, so does what they are measured against.
        for rival in &self.rivals {
            let (decode, encode) = if rival.is_map {
                (ours.decode_session_by_clock, ours.encode_session_by_clock)
            } else {
                (ours.decode_typed_by_clock, ours.encode_typed_by_clock)
            };
            let encode_bound = Bound::AtLeast(if *is_compressed { 1.2 } else { 1.3 });
            row("decode", ns(decode), rival.name, ns(rival.decode), Bound::AtLeast(1.5));
            row("encode", ns(encode), rival.name, ns(rival.encode), encode_bound);
        }
        if *is_compressed {
            let least = match *size {
                "auth" => 6.0,
                "k1" => 3.0,
                _ => 2.5,
            };
            // A dictionary comes out of Django's.
            let (decode, encode) = (ours.decode_session_by_clock, ours.encode_session_by_clock);
            let (loads, dumps) = (ns(self.django.loads), ns(self.django.dumps));
            row("decode", ns(decode), "Django", loads, Bound::AtLeast(least));
            row("encode", ns(encode), "Django", dumps, Bound::AtLeast(2.0));
        }
        rows
    }
}

/// What is refused.
struct Refusals {
    forged: Lane,
    forged_hmac: Lane,
    oversized: Lane,
    huge: Lane,
}

impl Refusals {
    fn enter(race: &mut Race, now: OffsetDateTime) -> Self {
        let tokens = ours::forged(now);
        Self {
            forged_hmac: floors::hmac(race, &tokens),
            forged: ours::enter_refusal(race, tokens, now),
            oversized: ours::enter_oversized(race, 5_000, now),
            huge: ours::enter_oversized(race, 1_000_000, now),
        }
    }

    fn rows(&self, race: &Race) -> Vec<Row> {
        let row = |session: &str, lane, against: &str, other_ns, bound| Row {
            session: session.to_owned(),
            what: "refuse",
            ns: race.ns(lane),
            against: against.to_owned(),
            other_ns,
            bound: Bound::AtMost(bound),
        };
        vec![
            row("forged, 4 KB", self.forged, "bare HMAC", race.ns(self.forged_hmac), 1.05),
            row("oversized, 5 KB", self.oversized, "20 ns", 20.0, 1.0),
            row("oversized, 1 MB", self.huge, "5 KB", race.ns(self.oversized), 1.05),
        ]
    }
}

/// A token under the n-th secret costs n MACs and nothing else.
fn rotation_rows(race: &Race, hmac: Lane, rotation: &[Lane]) -> Vec<Row> {
    let first = race.ns(rotation[0]);
    [2, 4, 8]
        .map(|nth: u8| Row {
            session: "auth plain".to_owned(),
            what: "verify, n-th of 8 secrets",
            ns: race.ns(rotation[usize::from(nth) - 1]),
            against: format!("the first + {} bare HMACs", nth - 1),
            other_ns: first + f64::from(nth - 1) * race.ns(hmac),
            bound: Bound::AtMost(1.0),
        })
        .into()
}

/// What a layer adds to a request whose session is not used, in nanoseconds.
fn layer_rows(now: OffsetDateTime) -> Vec<Row> {
    let mut race = Race::default();
    let [none, one] = [false, true].map(|has_cookie| Untouched::enter(&mut race, has_cookie, now));
    race.run(ALONE);
    let what = "a layer around a request";
    vec![
        added_row(&race, "no cookie", what, none.layered, none.bare, 60.0),
        added_row(&race, "auth plain, not used", what, one.layered, one.bare, 100.0),
    ]
}

/// What the check adds to the load of a session, in nanoseconds.
fn ended_rows(now: OffsetDateTime) -> Vec<Row> {
    let mut race = Race::default();
    let Ended { empty, million } = Ended::enter(&mut race, now);
    race.run(ALONE);
    vec![added_row(&race, "a login", "a million ended sessions", million, empty, 60.0)]
}

/// For races of few: all of them stay in the caches, as in a program that does nothing else.
const ALONE: Duration = Duration::from_secs(10);

fn added_row(
    race: &Race,
    session: &str,
    what: &'static str,
    with: Lane,
    without: Lane,
    at_most: f64,
) -> Row {
    let ns = race.ns(with) - race.ns(without);
    let (session, against) = (session.to_owned(), format!("{at_most} ns"));
    Row { session, what, ns, against, other_ns: at_most, bound: Bound::AtMost(1.0) }
}

/// Two cores do 1.9 times the work of one.
fn scaling_rows(now: OffsetDateTime) -> Vec<Row> {
    let row = |session: &str, what, (one, two)| Row {
        session: session.to_owned(),
        what,
        ns: two,
        against: "one core".to_owned(),
        other_ns: one,
        bound: Bound::AtLeast(1.9),
    };
    let time = Duration::from_secs(4);
    let codec = ours::codec(Compress::IfShorter);
    let signer = ours::signer();
    let auth = ours::tokens(&Auth::all(), Compress::Never, now);
    let shops = K1::all();
    let k1 = ours::tokens(&shops, Compress::IfShorter, now);
    vec![
        row(
            "auth plain",
            "verify, two cores",
            scaling::measure(time, |index| {
                black_box(signer.unsign_at(black_box(&auth[index]), None, now).expect("good"));
            }),
        ),
        row(
            "auth plain",
            "decode, struct, two cores",
            scaling::measure(time, |index| {
                black_box(codec.decode_as_at::<Auth>(black_box(&auth[index]), now).expect("good"));
            }),
        ),
        row(
            "k1 compressed",
            "decode, `Session`, two cores",
            scaling::measure(time, |index| {
                ours::read::<K1>(&codec.decode_at(black_box(&k1[index]), now).expect("good"));
            }),
        ),
        row(
            "k1 compressed",
            "encode, struct, two cores",
            scaling::measure(time, |index| {
                black_box(codec.encode_as_at(black_box(&shops[index]), now).expect("fits"));
            }),
        ),
    ]
}

/// The table of docs/benchmarks.md: what each takes, and how many times ours.
fn side_by_side(race: &Race, courses: &[Course]) -> String {
    let columns = ["auth plain", "k1 plain", "auth compressed", "k1 compressed"]
        .map(|title| courses.iter().find(|course| course.title == title).expect("entered"));
    let mut out = String::from("| ns, decode / encode |");
    for course in columns {
        let _ = write!(out, " {} |", course.title);
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(columns.len()));
    let mut line = |name: &str, times: &dyn Fn(&Course) -> Option<(f64, f64)>| {
        let _ = write!(out, "| {name} |");
        for course in columns {
            let _ = match times(course) {
                Some((decode, encode)) => write!(out, " {} / {} |", number(decode), number(encode)),
                None => write!(out, " – |"),
            };
        }
        let _ = writeln!(out);
    };
    let ns = |lane| race.ns(lane);
    line("the bare parts: HMAC, base64, zlib, JSON", &|course| {
        Some((course.decoding.sum(race), course.encoding.sum(race)))
    });
    line("**signed-session**, a struct", &|course| {
        Some((ns(course.ours.decode_typed_by_clock), ns(course.ours.encode_typed_by_clock)))
    });
    line("**signed-session**, a `Session`, three entries read", &|course| {
        Some((ns(course.ours.decode_session_by_clock), ns(course.ours.encode_session_by_clock)))
    });
    for rival in &columns[0].rivals {
        line(rival.name, &|course| {
            let rival = course.rivals.iter().find(|other| other.name == rival.name)?;
            Some((ns(rival.decode), ns(rival.encode)))
        });
    }
    line("Django", &|course| Some((ns(course.django.loads), ns(course.django.dumps))));
    out
}

/// What to compress costs, and what it saves.
fn sizes(race: &Race, courses: &[Course]) -> String {
    let mut out = String::from(
        "| a token, decode / encode | `Compress::Never` | `Compress::IfShorter` |\n|---|---:|---:|\n",
    );
    for pair in courses[1..].chunks(2) {
        let _ = write!(out, "| {} |", pair[0].size);
        for course in pair {
            let decode = number(race.ns(course.ours.decode_typed_by_clock));
            let encode = number(race.ns(course.ours.encode_typed_by_clock));
            let bytes = number(course.token_len as f64);
            let _ = write!(out, " {bytes} bytes, {decode} / {encode} ns |");
        }
        let _ = writeln!(out);
    }
    out
}

/// The rows of the first table that the README shows.
const IN_README: [&str; 5] = [
    "**signed-session**, a `Session`, three entries read",
    "django-signing",
    "cookie SignedJar",
    "actix-session, signed cookie",
    "Django",
];

/// Returns the heading of a table, and the rows of the README.
fn excerpt(table: &str) -> String {
    let is_shown =
        |line: &str| IN_README.iter().any(|name| line.starts_with(&format!("| {name} |")));
    let lines = table.lines().enumerate().filter(|(index, line)| *index < 2 || is_shown(line));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// Puts a text between the two marks of a document.
fn write(document: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let (start, end) = ("<!-- speed: written by benches/peers -->\n", "<!-- /speed -->");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, rest) = page.split_once(start).expect("the page has the first mark");
    let (_, after) = rest.split_once(end).expect("the page has the second mark");
    fs::write(&path, format!("{before}{start}\n{text}\n{end}{after}")).expect("written");
}
