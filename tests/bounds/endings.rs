//! A million ended sessions take bounded memory, and a living one a few bytes of its cookie.

use std::time::Duration;

use allocation_counter::measure;
use signed_session::{
    Compress, CookieOptions, Revocation, Revocations, Session, SessionCodec, SessionManager,
};
use support::sample::{Auth, K1, K3, Sample, Tiny};
use time::OffsetDateTime;

use crate::limits::{noon, ring};

const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const SKEW: Duration = Duration::from_secs(5 * 60);

/// What each ended subject takes at most, in bytes.
const MOST: i64 = 120;

/// Identities that are as good as any: those of noon.
fn id(number: u64) -> String {
    use base64::Engine as _;
    let began = u64::try_from(noon().unix_timestamp()).unwrap() * 1_000_000;
    let bytes = [began.to_be_bytes(), number.to_be_bytes()].concat();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn one(subject: &str, number: u64) -> Revocation {
    format!("{{\"v\":1,\"subject\":\"{subject}\",\"session\":\"{}\"}}", id(number)).parse().unwrap()
}

fn all(subject: &str, number: u64) -> Revocation {
    let by = u64::try_from(noon().unix_timestamp()).unwrap() * 1_000_000 + number % 1_000;
    format!("{{\"v\":1,\"subject\":\"{subject}\",\"by\":{by}}}").parse().unwrap()
}

/// Returns how many bytes more a list takes once it was told this.
fn told(list: &Revocations, revocations: &[Revocation], now: OffsetDateTime) -> i64 {
    measure(|| {
        for revocation in revocations {
            assert_eq!(list.apply_at(revocation, now), Ok(true));
        }
    })
    .bytes_current
}

#[test]
fn an_ended_subject_takes_120_bytes_at_most_after_growth_too() {
    // By number, by what just is not boxed, and by UUID, which is boxed and takes its bytes.
    type Name = fn(u64) -> String;
    let names: [(Name, i64); 3] = [
        (|number| number.to_string(), MOST),
        (|number| format!("{number:022}"), MOST),
        (|number| format!("{number:036}"), MOST + 36),
    ];
    for (end, (name, most)) in [one, all].into_iter().flat_map(|end| names.map(|name| (end, name)))
    {
        let list = Revocations::new(LIFETIME);
        let (mut bytes, mut worst) = (0, 0.0_f64);
        // Every shard grows between 24,000 and 34,000.
        for thousand in 0..36 {
            let numbers = thousand * 1_000..(thousand + 1) * 1_000;
            let lines: Vec<_> = numbers.map(|number| end(&name(number), number)).collect();
            bytes += told(&list, &lines, noon());
            if thousand >= 12 {
                #[expect(clippy::cast_precision_loss, reason = "it is counted in millions")]
                let each = bytes as f64 / list.len() as f64;
                worst = worst.max(each);
            }
        }
        assert_eq!(list.len(), 36_000);
        #[expect(clippy::cast_precision_loss, reason = "it is two or three digits")]
        let most = most as f64;
        assert!(worst <= most, "{worst} bytes each for {}", name(42));
        // The control: all of them are in memory, and counted.
        assert!(worst >= 49.0, "{worst}");
    }
}

#[test]
fn what_is_forgotten_gives_its_memory_back() {
    let list = Revocations::new(LIFETIME);
    let lines: Vec<_> = (0..20_000).map(|number| one(&number.to_string(), number)).collect();
    let held = told(&list, &lines, noon());
    assert!(held > 20_000 * 49);
    // Until then nothing is: each of these looks after one of 64 shards.
    let later = noon() + LIFETIME + SKEW;
    let end = |time: OffsetDateTime, prefix: &str, count: u64| {
        measure(|| {
            for number in 0..count {
                list.end_all_at(format!("{prefix}{number}"), time).unwrap();
            }
        })
        .bytes_current
    };
    let kept = held + end(later, "a", 640);
    assert_eq!(list.len(), 20_640);
    let left = kept + end(later + LIFETIME, "b", 640);
    assert_eq!(list.len(), 1_280);
    assert!(left <= 4 * 1_280 * MOST, "{left} bytes are left of {held}");
}

#[test]
fn one_who_logs_out_for_ever_takes_sixteen_kib() {
    let list = Revocations::new(LIFETIME);
    let lines: Vec<_> = (0..5_000).map(|number| one("42", number)).collect();
    let bytes = measure(|| {
        for line in &lines {
            list.apply_at(line, noon()).unwrap();
        }
    })
    .bytes_current;
    // All of one moment: the oldest one too many takes the others with it.
    assert!(bytes <= 1_024, "{bytes}");

    let list = Revocations::new(LIFETIME);
    let mut bytes = 0;
    let mut ids = Vec::new();
    for step in 0..3_000 {
        let now = noon() + Duration::from_secs(step);
        let manager = manager(Compress::Never).revocations(list.clone(), "user_id");
        let mut session = manager.load_at([""; 0], now);
        session.begin(|_| true);
        session.insert("user_id", 42).unwrap();
        let reply = manager.commit_at(&session, 200, now).unwrap();
        ids.push(session.id().unwrap().to_owned());
        drop((reply, session));
        let id = ids.last().unwrap();
        bytes += measure(|| drop(list.end_one_at(42, id, now))).bytes_current;
    }
    // All of the newest, and the cut-off.
    assert_eq!((list.list_at(noon()).len(), list.len()), (1_001, 1));
    assert!((16_000..=17_408).contains(&bytes), "{bytes}");
    // An end of all but the last two gives the memory of the others back.
    let by = u64::try_from(noon().unix_timestamp() + 2_997).unwrap() * 1_000_000;
    let all: Revocation = format!("{{\"v\":1,\"subject\":\"42\",\"by\":{by}}}").parse().unwrap();
    let later = noon() + Duration::from_secs(3_000);
    bytes += told(&list, &[all], later);
    assert_eq!(list.list_at(later).len(), 3);
    assert!(bytes <= 1_024, "{bytes}");
}

fn manager(compress: Compress) -> SessionManager {
    let codec = SessionCodec::new(&ring()).compress(compress);
    SessionManager::new(codec, CookieOptions::new("sessionid").unwrap())
}

/// A session's cookies without an identity, and with it.
fn cookies<S: Sample>(value: &S, compress: Compress) -> [String; 2] {
    let plain = manager(compress);
    let watching = plain.clone().revocations(Revocations::new(LIFETIME), "user_id");
    [plain, watching].map(|manager| {
        let mut session = Session::new();
        let json = serde_json::to_value(value).unwrap();
        session.extend(json.as_object().unwrap()).unwrap();
        session.insert("user_id", 42).unwrap();
        let cookie = manager.commit_at(&session, 200, noon()).unwrap().set_cookie.unwrap();
        cookie.stripped().to_string()
    })
}

fn check_cookies<S: Sample>() {
    for compress in [Compress::Never, Compress::IfShorter] {
        for value in S::all() {
            let [without, with] = cookies(&value, compress).map(|cookie| cookie.len());
            assert!((1..=60).contains(&(with - without)), "{}: {with} - {without}", S::NAME);
        }
    }
}

#[test]
fn an_identity_takes_sixty_bytes_of_a_cookie_at_most() {
    check_cookies::<Tiny>();
    check_cookies::<Auth>();
    check_cookies::<K1>();
    check_cookies::<K3>();
}

#[test]
fn a_load_allocates_once_more_for_the_identity_and_never_for_the_list() {
    let [without, with] = cookies(&Auth::all()[0], Compress::Never);
    let plain = manager(Compress::Never);
    let count = |manager: &SessionManager, cookie: &str| {
        drop(manager.load_at([cookie], noon()));
        measure(|| drop(manager.load_at([cookie], noon()))).count_total
    };
    let list = Revocations::new(LIFETIME);
    let watching = plain.clone().revocations(list.clone(), "user_id");
    let [before, adopted, identified] =
        [(&plain, &with), (&watching, &without), (&watching, &with)]
            .map(|(manager, cookie)| count(manager, cookie));
    assert_eq!([adopted, identified], [before + 1; 2]);
    let lines: Vec<_> = (100..10_100).map(|number| one(&number.to_string(), number)).collect();
    told(&list, &lines, noon());
    assert_eq!(count(&watching, &with), identified);
    // And one that was ended has nothing to hand out.
    list.end_all_at(42, noon()).unwrap();
    assert!(watching.load_at([&with], noon()).refusal().is_some());
    assert!(count(&watching, &with) <= identified + 1);
}

#[test]
fn visitors_who_are_nobody_and_checks_add_nothing() {
    let list = Revocations::new(LIFETIME);
    list.end_all_at(1, noon()).unwrap();
    let manager = manager(Compress::Never).revocations(list.clone(), "user_id");
    let [_, cookie] = cookies(&Auth::all()[0], Compress::Never);
    let visit = || {
        let mut session = manager.load_at([""; 0], noon());
        session.insert("cart", 1).unwrap();
        session.flush();
        drop(manager.commit_at(&session, 200, noon()).unwrap());
        drop(manager.load_at([&cookie], noon()));
    };
    visit();
    assert_eq!(measure(|| (0..1_000).for_each(|_| visit())).bytes_current, 0);
    assert_eq!(list.len(), 1);
}

/// Ends all sessions of ten times as many subjects as there are shards: each is looked after.
fn end_all(list: &Revocations, prefix: &str, now: OffsetDateTime) {
    for number in 0..640 {
        list.end_all_at(format!("{prefix}{number}"), now).unwrap();
    }
}

#[test]
fn a_shard_is_looked_through_once_an_hour() {
    let list = Revocations::new(LIFETIME);
    let lines: Vec<_> = (0..1_000).map(|number| one(&number.to_string(), number)).collect();
    told(&list, &lines, noon());
    // The last moment at which nothing is forgotten.
    let later = noon() + LIFETIME + SKEW;
    end_all(&list, "a", later);
    assert_eq!(list.len(), 1_640);
    end_all(&list, "a", later + Duration::from_secs(3_599));
    assert_eq!(list.len(), 1_640);
    end_all(&list, "a", later + Duration::from_secs(3_600));
    assert_eq!(list.len(), 640);
}

#[test]
fn a_clock_that_was_ahead_and_is_set_back_holds_no_memory() {
    let list = Revocations::new(LIFETIME);
    end_all(&list, "a", noon() + 10 * LIFETIME);
    let lines: Vec<_> = (0..1_000).map(|number| one(&number.to_string(), number)).collect();
    told(&list, &lines, noon());
    assert_eq!(list.len(), 1_640);
    end_all(&list, "a", noon() + LIFETIME + SKEW + Duration::from_secs(1));
    assert_eq!(list.len(), 640);
}
