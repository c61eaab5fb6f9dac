//! A session check allocates what it hands out, and nothing else.

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use signed_session::{
    Compress, DecodeError, Keyring, Session, SessionCodec, Signer, TimestampSigner,
};
use support::sample::{self, Auth, K1, K3, Sample, Tiny};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);
const FORMS: [Compress; 2] = [Compress::Never, Compress::IfShorter];

fn ring() -> Keyring {
    Keyring::new(sample::SECRET).unwrap()
}

fn codec(compress: Compress) -> SessionCodec {
    SessionCodec::new(&ring()).compress(compress)
}

fn somebody_else() -> Keyring {
    Keyring::new("example-only-of-somebody-else").unwrap()
}

/// Counts the allocations of the second call: in the first the thread sets up what it keeps.
fn count<T>(function: impl Fn() -> T) -> u64 {
    black_box(function());
    measure(|| {
        black_box(function());
    })
    .count_total
}

#[test]
fn verifying_allocates_nothing() {
    let value = "x".repeat(3000);
    for value in ["", "ada", &value] {
        let signer = Signer::new(&ring(), "test");
        let token = signer.sign(value);
        assert_eq!(count(|| signer.unsign(&token).unwrap()), 0);

        let stamper = TimestampSigner::new(&ring(), "test");
        let token = stamper.sign_at(value, NOW);
        let max_age = Some(Duration::from_secs(60));
        assert_eq!(count(|| stamper.unsign_at(&token, max_age, NOW).unwrap()), 0);
    }
}

#[test]
fn verifying_under_the_last_of_eight_secrets_allocates_nothing() {
    let eight = (1..8).fold(somebody_else(), |ring, index| {
        let secret = if index < 7 { format!("retired-{index}") } else { sample::SECRET.to_owned() };
        ring.fallback(secret).unwrap()
    });
    let signer = Signer::new(&eight, "test");
    let token = Signer::new(&ring(), "test").sign("ada");
    assert_eq!(count(|| signer.unsign(&token).unwrap()), 0);
}

#[test]
fn a_token_that_is_refused_for_its_age_allocates_nothing() {
    let stamper = TimestampSigner::new(&ring(), "test");
    let expired = stamper.sign_object_at(&1, Compress::Never, NOW).unwrap();
    let age = Some(Duration::from_secs(60));
    let in_a_month = NOW + Duration::from_secs(31 * 24 * 60 * 60);
    let expire = || stamper.unsign_object_at::<u8>(&expired, age, in_a_month).unwrap_err();
    assert!(matches!(expire(), DecodeError::Expired { .. }));
    assert_eq!(count(expire), 0);
    let strict = codec(Compress::Never).refuse_signed_before(NOW);
    let old = strict.encode_as_at(&K3::all()[0], NOW - Duration::from_secs(3600)).unwrap();
    assert!(matches!(strict.decode_at(&old, NOW), Err(DecodeError::SignedTooEarly { .. })));
    assert_eq!(count(|| strict.decode_at(&old, NOW).unwrap_err()), 0);
    assert_eq!(count(|| strict.decode_as_at::<K3>(&old, NOW).map(drop).unwrap_err()), 0);
}

fn check_encoding<S: Sample>() {
    for compress in FORMS {
        let what = format!("{} {compress:?}", S::NAME);
        let value = &S::all()[0];
        let codec = codec(compress);
        assert_eq!(count(|| codec.encode_as_at(value, NOW).unwrap()), 1, "{what}, struct");
        let token = codec.encode_as_at(value, NOW).unwrap();
        let session = codec.decode_at(&token, NOW).unwrap();
        assert_eq!(count(|| codec.encode_at(&session, NOW).unwrap()), 1, "{what}, session");

        let signer = Signer::new(&ring(), "test");
        assert_eq!(count(|| signer.sign_object(value, compress).unwrap()), 1, "{what}, object");
        let stamper = TimestampSigner::new(&ring(), "test");
        let stamped = || stamper.sign_object_at(value, compress, NOW).unwrap();
        assert_eq!(count(stamped), 1, "{what}, stamped object");
    }
}

#[test]
fn encoding_allocates_the_token() {
    check_encoding::<Tiny>();
    check_encoding::<Auth>();
    check_encoding::<K1>();
    check_encoding::<K3>();
}

#[test]
fn signing_text_allocates_the_token() {
    let value = "x".repeat(3000);
    let signer = Signer::new(&ring(), "test");
    assert_eq!(count(|| signer.sign(&value)), 1);
    let stamper = TimestampSigner::new(&ring(), "test");
    assert_eq!(count(|| stamper.sign_at(&value, NOW)), 1);
}

fn check_typed_decoding<S: Sample>() {
    for compress in FORMS {
        let what = format!("{} {compress:?}", S::NAME);
        let value = &S::all()[0];
        let json = serde_json::to_string(value).unwrap();
        let owned = count(|| serde_json::from_str::<S>(&json).unwrap());

        let codec = codec(compress);
        let token = codec.encode_as_at(value, NOW).unwrap();
        assert_eq!(count(|| codec.decode_as_at::<S>(&token, NOW).unwrap()), owned, "{what}");

        let signer = Signer::new(&ring(), "test");
        let token = signer.sign_object(value, compress).unwrap();
        assert_eq!(count(|| signer.unsign_object::<S>(&token).unwrap()), owned, "{what}");

        let stamper = TimestampSigner::new(&ring(), "test");
        let token = stamper.sign_object_at(value, compress, NOW).unwrap();
        let object = || stamper.unsign_object_at::<S>(&token, None, NOW).unwrap();
        assert_eq!(count(object), owned, "{what}, stamped");
    }
}

#[test]
fn decoding_a_struct_allocates_what_the_struct_owns() {
    check_typed_decoding::<Tiny>();
    check_typed_decoding::<Auth>();
    check_typed_decoding::<K1>();
    check_typed_decoding::<K3>();
    // Three texts.
    let json = serde_json::to_string(&Auth::all()[0]).unwrap();
    assert_eq!(count(|| serde_json::from_str::<Auth>(&json).unwrap()), 3);
}

#[test]
fn decoding_allocates_equally_often_for_any_number_of_entries() {
    // For two levels of lists serde_json takes a few bytes for a moment; these need none.
    let values = ["\"text\"", "\"\\n\"", "12", "[1]"];
    for (compress, value) in FORMS.into_iter().flat_map(|form| values.map(|value| (form, value))) {
        let codec = codec(compress).max_token_len(1 << 20).max_payload_len(1 << 20);
        let counts = |numbers: [usize; 3]| {
            numbers.map(|entries| {
                let mut session = Session::new();
                for index in 0..entries {
                    session.insert_json(&format!("entry_{index}"), value).unwrap();
                }
                let token = codec.encode_at(&session, NOW).unwrap();
                assert_eq!(codec.decode_at(&token, NOW).unwrap().len(), entries);
                count(|| codec.decode_at(&token, NOW).unwrap())
            })
        };
        // The text and the entries; beyond 32 the index, which is two.
        assert_eq!(counts([1, 20, 32]), [2; 3], "{compress:?}, {value}");
        // A thread keeps memory for the places of 1,024.
        assert_eq!(counts([33, 200, 1000]), [4; 3], "{compress:?}, {value}");
    }
}

#[test]
fn looking_for_an_entry_of_a_session_allocates_nothing() {
    let codec = codec(Compress::Never);
    let token = codec.encode_as_at(&K3::all()[0], NOW).unwrap();
    let session = codec.decode_at(&token, NOW).unwrap();
    assert_eq!(count(|| session.get::<&str>("language").unwrap().unwrap().len()), 0);
    assert_eq!(count(|| session.get::<u64>("none").unwrap()), 0);
    assert_eq!(count(|| (session.contains_key("cart"), session.keys().count())), 0);
}

#[cfg(feature = "tower")]
#[test]
fn an_untouched_request_takes_two_allocations_and_its_cookie_a_third() {
    use std::convert::Infallible;
    use std::future::{Future, Ready, ready};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use http::{Request, Response};
    use signed_session::{CookieOptions, SessionHandle, SessionLayer, SessionManager};
    use tower::{Layer as _, Service, service_fn};

    type Answer = Ready<Result<Response<()>, Infallible>>;

    fn answer(request: Request<()>) -> Answer {
        assert!(request.extensions().get::<u32>().is_some());
        ready(Ok(Response::new(())))
    }
    fn touch(request: Request<()>) -> Answer {
        let session: SessionHandle = SessionHandle::from_extensions(request.extensions()).unwrap();
        assert!(session.contains_key("_auth_user_id"));
        ready(Ok(Response::new(())))
    }
    /// Counts the allocations of answering a request that has other extensions.
    fn allocations<S: Service<Request<()>>>(mut service: S, cookie: Option<&str>) -> u64 {
        let mut request = Request::builder().extension(42_u32);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(()).unwrap();
        let counted = measure(|| {
            let mut answer = pin!(service.call(request));
            assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        });
        counted.count_total
    }

    let codec = codec(Compress::Never);
    let token = codec.encode_as(&Auth::all()[0]).unwrap();
    let layer =
        SessionLayer::new(SessionManager::new(codec, CookieOptions::new("sessionid").unwrap()));
    let cookie = format!("theme=dark; sessionid={token}; csrftoken=abc");
    for (cookie, most) in [(None, 2), (Some(cookie.as_str()), 3)] {
        let bare = allocations(service_fn(answer), cookie);
        let around = allocations(layer.layer(service_fn(answer)), cookie);
        assert!(around <= bare + most, "{bare}, {around} with the layer");
    }
    // The control: whoever asks for the session has it decoded.
    let asked = allocations(layer.layer(service_fn(touch)), Some(&cookie));
    assert!(asked > 3, "{asked}");
}
