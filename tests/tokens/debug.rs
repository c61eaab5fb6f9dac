//! `Debug` of any public type shows nothing secret and nothing of a visitor's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use signed_session::django::{
    AuthUser, DjangoSettings, Level, Message, MessageStorage, MessagesError, SettingsError,
    SignedCookie,
};
use signed_session::{
    Algorithm, ApplyError, Candidates, Compress, CookieOptions, Expiry, ExpiryRule, Keyring,
    LiveManager, Revocation, Session, SessionCodec, SessionManager, Signer, Silence,
    TimestampSigner, Unverified, environment,
};
use time::OffsetDateTime;

use crate::errors::{MARK, assert_clean, ring};

/// The public types by file and name, as the sources have them: the lint `unreachable_pub` sees to
/// it that what says `pub` is public.
fn public_types() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut types = BTreeSet::new();
    let mut paths: Vec<PathBuf> = vec![root.clone()];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        // The program is a crate of its own, and the adapters may not be built.
        let is_adapter =
            ["actix.rs", "axum.rs", "flash.rs", "handle.rs", "logged_in.rs", "tower.rs"]
                .contains(&&*file)
                || file.starts_with("django/csrf/");
        let has_adapters = cfg!(all(feature = "actix", feature = "axum"));
        if file == "main.rs" || file.starts_with("cli/") || is_adapter && !has_adapters {
            continue;
        }
        for name in types_of(&fs::read_to_string(&path).unwrap()) {
            types.insert((file.clone(), name));
        }
    }
    types
}

/// The public types that a source defines, those inside of macros included.
fn types_of(source: &str) -> Vec<String> {
    let definition = |line: &str| {
        let rest = line.trim_start().strip_prefix("pub ")?;
        let (kind, rest) = rest.split_once(' ')?;
        let is_type = ["struct", "enum", "union", "type"].contains(&kind);
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        assert!(!is_type || end > 0, "a macro makes up the names of types: {line}");
        is_type.then(|| rest[..end].to_owned())
    };
    source.lines().filter_map(definition).collect()
}

#[test]
fn the_search_for_types_finds_each_kind() {
    let source = "pub struct A;\nstruct No;\npub(crate) struct No;\n  pub enum B<T> {\n\
                  pin_project! {\n    pub struct C<F> {\npub union D {\npub fn no() {}\npub type E = A;";
    assert_eq!(types_of(source), ["A", "B", "C", "D", "E"]);
}

/// What is shown, and checked: values in which the mark is planted wherever something can be.
#[derive(Default)]
struct Shown(BTreeMap<(String, String), usize>);

impl Shown {
    fn show(&mut self, file: &str, name: &str, value: &impl Debug) {
        assert_clean(name, value);
        *self.0.entry((file.to_owned(), name.to_owned())).or_default() += 1;
    }
}

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap()
}

#[test]
fn debug_of_any_public_type_shows_nothing_that_was_planted() {
    let mut shown = Shown::default();
    of_the_core(&mut shown);
    of_the_ended(&mut shown);
    of_django(&mut shown);
    #[cfg(all(feature = "actix", feature = "axum"))]
    of_the_adapters(&mut shown);
    let shown: BTreeSet<_> = shown.0.into_keys().collect();
    assert_eq!(shown, public_types());

    // A cookie is another crate's, and prints as what it is: the header for the visitor.
    let library = include_str!("../../src/lib.rs");
    let foreign = library.lines().filter(|line| line.starts_with("pub use ::"));
    assert_eq!(foreign.collect::<Vec<_>>(), ["pub use ::cookie::{Cookie, SameSite};"]);
}

fn of_the_core(shown: &mut Shown) {
    let ring = ring();
    let options = || CookieOptions::new("sessionid").unwrap().domain("a.example").unwrap();
    // Not compressed, or the mark could not be seen in a token.
    let codec = SessionCodec::new(&ring).salt(MARK).compress(Compress::Never);
    let signer = Signer::new(&ring, MARK).separator(&format!(":{MARK}:")).unwrap();
    let stamper = TimestampSigner::new(&ring, MARK);
    shown.show("key.rs", "Keyring", &ring);
    shown.show("key.rs", "Weakness", &Keyring::new(MARK).unwrap().weaknesses());
    let bytes = MARK.as_bytes().to_vec().into();
    shown.show("environment.rs", "Secret", &environment::Secret { bytes, line: Some(1) });
    shown.show("signer.rs", "Signer", &signer);
    shown.show("signer.rs", "Algorithm", &[Algorithm::Sha256, Algorithm::Sha512]);
    shown.show("timestamp.rs", "TimestampSigner", &stamper);
    let token = stamper.sign_at(MARK, noon());
    let stamped = stamper.unsign_at(&token, None, noon()).unwrap();
    assert_eq!(stamped.value, MARK);
    shown.show("timestamp.rs", "Stamped", &stamped);
    shown.show("payload.rs", "Compress", &[Compress::Never, Compress::Above(1)]);
    shown.show("unverified.rs", "Unverified", &Unverified::new(&token).unwrap());
    shown.show("codec.rs", "SessionCodec", &codec);
    shown.show("cookie.rs", "CookieOptions", &options());
    shown.show("candidates.rs", "Candidates", &Candidates::from_iter([MARK]));
    shown.show("expiry.rs", "Expiry", &Expiry::At(noon()));
    shown.show("expiry.rs", "ExpiryRule", &ExpiryRule::Enforce);

    let manager = SessionManager::new(codec.clone(), options());
    shown.show("manager.rs", "SessionManager", &manager);
    shown.show("live.rs", "LiveManager", &LiveManager::from(manager.clone()));
    let mut session = Session::new();
    session.insert(MARK, MARK).unwrap();
    shown.show("session.rs", "Session", &session);
    shown.show("entries.rs", "Iter", &session.iter());
    let reply = manager.commit_at(&session, 200, noon()).unwrap();
    let cookie = reply.set_cookie.as_ref().unwrap().stripped().to_string();
    shown.show("reply.rs", "Reply", &reply);
    let value = reply.set_cookie.as_ref().unwrap().value();
    assert!(value.len() > 43 && !format!("{reply:?}").contains(&value[value.len() - 43..]));
    let arrived = manager.load_at([&cookie], noon());
    assert_eq!(arrived.get_json(MARK), Some(&*format!("\"{MARK}\"")));
    shown.show("session.rs", "Session", &arrived);
    shown.show("reply.rs", "Reply", &manager.commit_at(&arrived, 200, noon()).unwrap());
    shown.show("session.rs", "Session", &manager.load_at([&format!("sessionid={MARK}")], noon()));

    let refused = codec.decode_at(&token, noon()).unwrap_err();
    shown.show("error.rs", "DecodeError", &refused);
    let too_long = codec.clone().max_token_len(9).encode_at(
        &{
            let mut session = Session::new();
            session.insert(&format!("{MARK} typed"), MARK).unwrap();
            session
        },
        noon(),
    );
    shown.show("error.rs", "EncodeError", &too_long.unwrap_err());
    let typed = format!("{MARK} typed");
    session.insert(&typed, MARK).unwrap();
    shown.show("error.rs", "ValueError", &session.get::<u8>(&typed).unwrap_err());
    shown.show("error.rs", "ConfigError", &CookieOptions::new(&format!("{MARK};")).unwrap_err());
}

fn of_the_ended(shown: &mut Shown) {
    let line = format!(r#"{{"v":1,"subject":"{MARK}","by":1700000000000000}}"#);
    shown.show("revocation/line.rs", "Revocation", &line.parse::<Revocation>().unwrap());
    shown.show("error.rs", "RevocationError", &MARK.parse::<Revocation>().unwrap_err());
    shown.show("error.rs", "ApplyError", &ApplyError::Ahead);
    shown.show("revocation/mod.rs", "Silence", &[Silence::Accept, Silence::Refuse]);
    // Without the feature there is none.
    #[cfg(not(feature = "random"))]
    shown.0.insert(("revocation/mod.rs".to_owned(), "Revocations".to_owned()), 0);
    #[cfg(feature = "random")]
    {
        let list = signed_session::Revocations::new(std::time::Duration::from_secs(60));
        shown.show("revocation/line.rs", "Revocation", &list.end_all(MARK).unwrap());
        shown.show("revocation/mod.rs", "Revocations", &list);
        let options = CookieOptions::new("sessionid").unwrap();
        let manager = SessionManager::new(SessionCodec::new(&ring()), options);
        let mut session = manager.revocations(list, "user").load(["a=b"]);
        session.insert("user", MARK).unwrap();
        assert!(session.id().is_some());
        shown.show("session.rs", "Session", &session);
    }
}

fn of_django(shown: &mut Shown) {
    let ring = ring();
    let options = || CookieOptions::new("messages").unwrap();
    let settings = DjangoSettings::new(MARK).unwrap().set("SECRET_KEY_FALLBACKS", [MARK]).unwrap();
    shown.show("django/settings.rs", "DjangoSettings", &settings);
    let refused = settings.set("SESSION_COOKIE_AGE", MARK).unwrap_err();
    shown.show("django/settings.rs", "SettingsError", &refused);
    shown.show("django/settings.rs", "SettingsError", &SettingsError::Unknown);
    shown.show("django/auth.rs", "AuthUser", &AuthUser::new(&ring, MARK, MARK, MARK));
    shown.show(
        "django/signed_cookie.rs",
        "SignedCookie",
        &SignedCookie::new(&ring, options(), MARK),
    );

    let message = || Message::new(Level::INFO, MARK).extra_tags(MARK).safe(true);
    shown.show("django/messages.rs", "Level", &Level::INFO);
    shown.show("django/messages.rs", "Message", &message());
    let storage = MessageStorage::cookie(&ring, options()).level_tag(Level::INFO, MARK);
    shown.show("django/messages.rs", "MessageStorage", &storage);
    let mut session = Session::new();
    let mut messages = storage.load([&format!("messages={MARK}")]);
    messages.add(message());
    messages.add(Message::new(
        Level::INFO,
        (0..200).map(|n| format!("{MARK} {n}")).collect::<String>(),
    ));
    shown.show("django/messages.rs", "Messages", &messages);
    let stored = messages.commit_at(&mut session, noon()).unwrap();
    let value = stored.reply.set_cookie.as_ref().unwrap().value();
    assert!(value.len() > 43 && !format!("{stored:?}").contains(&value[value.len() - 43..]));
    shown.show("django/messages.rs", "StoredMessages", &stored);
    let mut messages = storage.load([] as [&str; 0]);
    let large = (0..9000_u32).map(|n| format!("{MARK}{}", n.wrapping_mul(0x9E37_79B9)));
    messages.add(Message::new(Level::INFO, large.collect::<String>()));
    let stored = messages.commit_at(&mut session, noon()).unwrap();
    assert_eq!(stored.unstored.len(), 1);
    shown.show("django/messages.rs", "StoredMessages", &stored);

    session.insert("_messages", MARK).unwrap();
    let refused = MessageStorage::session().load([] as [&str; 0]).show(&session).unwrap_err();
    assert!(matches!(refused, MessagesError::Value(_)));
    shown.show("django/messages.rs", "MessagesError", &refused);
}

/// What handlers of axum have as arguments: the mark is the user, the address and a message.
#[cfg(all(feature = "actix", feature = "axum"))]
fn axum_service(
    manager: SessionManager,
) -> (signed_session::LoggedIn<String>, signed_session::NotLoggedIn, signed_session::FlashMessages)
{
    use std::sync::{Arc, Mutex};

    use axum::{Router, routing::any};
    use signed_session::{FlashMessages, LoggedIn, NotLoggedIn, SessionHandle, SessionLayer};
    use tower::ServiceExt as _;

    let found = Arc::new(Mutex::new((None, None, None)));
    let kept = Arc::clone(&found);
    let page = move |session: SessionHandle,
                     user: Result<LoggedIn<String>, NotLoggedIn>,
                     flash: FlashMessages| {
        let mut kept = kept.lock().unwrap();
        session.insert("user", MARK).unwrap();
        flash.add(Level::INFO, MARK).unwrap();
        match user {
            Ok(user) => kept.0 = Some(user),
            Err(error) => kept.1 = Some(error),
        }
        kept.2 = Some(flash);
        std::future::ready(())
    };
    let app = Router::new().route("/{path}", any(page)).layer(SessionLayer::new(manager));
    actix_web::rt::System::new().block_on(async {
        let request = |cookie: String| {
            let request = axum::http::Request::get(format!("/{MARK}")).header("cookie", cookie);
            request.body(axum::body::Body::empty()).unwrap()
        };
        let response = app.clone().oneshot(request(String::new())).await.unwrap();
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        app.oneshot(request(cookie)).await.unwrap();
    });
    let (user, error, flash) = std::mem::take(&mut *found.lock().unwrap());
    let user = user.unwrap();
    assert_eq!(user.id, MARK);
    (user, error.unwrap(), flash.unwrap())
}

#[cfg(all(feature = "actix", feature = "axum"))]
fn of_the_adapters(shown: &mut Shown) {
    use std::convert::Infallible;
    use std::future::ready;

    use actix_web::dev::{Service as _, Transform as _};
    use signed_session::{SessionHandle, SessionLayer, SessionMiddleware};
    use tower::{Layer as _, Service as _};

    let manager = || {
        let options = CookieOptions::new("sessionid").unwrap();
        SessionManager::new(SessionCodec::new(&ring()).salt(MARK), options)
    };
    // The response of the service comes at once, and is in the future when that is shown.
    let inner = tower::service_fn(|request: axum::http::Request<()>| {
        let handle = request.extensions().get::<SessionHandle>().unwrap();
        handle.insert(MARK, MARK).unwrap();
        ready(Ok::<_, Infallible>(axum::http::Response::new(MARK.to_owned())))
    });
    let layer = SessionLayer::new(manager());
    shown.show("tower.rs", "SessionLayer", &layer);
    let mut service = layer.layer(inner);
    shown.show("tower.rs", "SessionService", &service);
    let request = axum::http::Request::builder().header("cookie", format!("sessionid={MARK}"));
    let future = service.call(request.body(()).unwrap());
    shown.show("tower.rs", "SessionFuture", &future);

    let middleware = SessionMiddleware::new(manager());
    shown.show("actix.rs", "SessionMiddleware", &middleware);
    let inner = actix_web::dev::fn_service(|request: actix_web::dev::ServiceRequest| {
        ready(Ok::<_, actix_web::Error>(
            request.into_response(actix_web::HttpResponse::Ok().body(MARK)),
        ))
    });
    let inner = actix_web::dev::ServiceFactory::new_service(&inner, ());
    let inner = actix_web::rt::System::new().block_on(inner).unwrap();
    let service = actix_web::rt::System::new().block_on(middleware.new_transform(inner)).unwrap();
    shown.show("actix.rs", "SessionService", &service);
    let request = actix_web::test::TestRequest::get().insert_header(("cookie", MARK));
    shown.show("actix.rs", "SessionFuture", &service.call(request.to_srv_request()));

    let user = axum_service(manager().subject("user").login_page("/login").unwrap());
    shown.show("logged_in.rs", "LoggedIn", &user.0);
    shown.show("logged_in.rs", "NotLoggedIn", &user.1);
    shown.show("flash.rs", "FlashMessages", &user.2);

    let missing = SessionHandle::<()>::from_extensions(&axum::http::Extensions::new());
    shown.show("handle.rs", "MissingSession", &missing.unwrap_err());
    let probe = tower::service_fn(|request: axum::http::Request<()>| {
        let handle = request.extensions().get::<SessionHandle>().unwrap().clone();
        handle.insert(MARK, MARK).unwrap();
        ready(Ok::<_, Infallible>(axum::http::Response::new(format!("{handle:?}"))))
    });
    let mut service = SessionLayer::new(manager()).layer(probe);
    let answer = futures_util::FutureExt::now_or_never(service.call(axum::http::Request::new(())))
        .unwrap()
        .unwrap();
    shown.show("tower.rs", "SessionBody", answer.body());
    let body = answer.into_body().into_inner().unwrap();
    assert!(body.starts_with("SessionHandle"));
    shown.show("handle.rs", "SessionHandle", &body);
    of_the_protection_of_forms(shown);
}

#[cfg(all(feature = "actix", feature = "axum"))]
fn of_the_protection_of_forms(shown: &mut Shown) {
    use std::convert::Infallible;
    use std::future::ready;

    use actix_web::dev::Transform as _;
    use axum::body::Body;
    use axum::http::{Extensions, Request, Response};
    use signed_session::django::{
        Csrf, CsrfBody, CsrfError, CsrfHandle, CsrfLayer, CsrfMiddleware,
    };
    use tower::{Layer as _, Service as _};

    let cookie = format!("{MARK}=1; csrftoken={MARK}");
    let csrf = Csrf::new("https://example.com").unwrap().header(MARK);
    shown.show("django/csrf/policy.rs", "Csrf", &csrf);
    let headers = [("cookie", cookie.as_bytes()), ("origin", MARK.as_bytes())];
    shown.show("django/csrf/request.rs", "CsrfRequest", &csrf.read("POST", headers));
    shown.show("django/csrf/error.rs", "CsrfError", &CsrfError::Origin);

    let inner = tower::service_fn(|request: Request<CsrfBody<Body>>| {
        let handle = CsrfHandle::from_extensions(request.extensions()).unwrap();
        ready(Ok::<_, Infallible>(Response::new(format!("{handle:?} {:?}", request.body()))))
    });
    let layer = CsrfLayer::new(csrf.clone());
    shown.show("django/csrf/tower.rs", "CsrfLayer", &layer);
    let mut service = layer.layer(inner);
    shown.show("django/csrf/tower.rs", "CsrfService", &service);
    let request = Request::builder().header("cookie", &cookie).body(Body::from(MARK)).unwrap();
    let future = service.call(request);
    shown.show("django/csrf/tower.rs", "CsrfFuture", &future);
    let answer = futures_util::FutureExt::now_or_never(future).unwrap().unwrap().into_body();
    let answer = answer.into_inner().unwrap();
    assert!(answer.starts_with("CsrfHandle") && answer.contains("CsrfBody"));
    shown.show("django/csrf/handle.rs", "CsrfHandle", &answer);
    shown.show("django/csrf/tower.rs", "CsrfBody", &answer);
    let missing = CsrfHandle::from_extensions(&Extensions::new()).unwrap_err();
    shown.show("django/csrf/handle.rs", "MissingCsrf", &missing);

    let middleware = CsrfMiddleware::new(csrf);
    shown.show("django/csrf/actix.rs", "CsrfMiddleware", &middleware);
    let inner = actix_web::dev::fn_service(|request: actix_web::dev::ServiceRequest| {
        ready(Ok::<_, actix_web::Error>(
            request.into_response(actix_web::HttpResponse::Ok().body(MARK)),
        ))
    });
    let inner = actix_web::dev::ServiceFactory::new_service(&inner, ());
    let inner = actix_web::rt::System::new().block_on(inner).unwrap();
    let service = actix_web::rt::System::new().block_on(middleware.new_transform(inner)).unwrap();
    shown.show("django/csrf/actix.rs", "CsrfService", &service);
}
