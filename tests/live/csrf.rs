//! Forms and forged requests are judged here as by Django, and each side takes the other's tokens.
//!
//! A request is put to both. Where both let it pass, both render a page, and the visitor goes on
//! with the cookies of either.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::django::{Csrf, CsrfError, DjangoSettings};
use signed_session::{SessionCodec, django};

use crate::jar::SetCookie;
use crate::random::Random;
use crate::run::{CSRF, Case};

const SECRET: &str = "test-secret-key-0123456789";
const REQUESTS: usize = 8;

/// A request as both sides get it.
#[derive(Clone, Debug, Serialize)]
struct Visit {
    settings: Value,
    /// The port of the server, which Django asks for beside the headers.
    port: String,
    method: &'static str,
    headers: Vec<(String, String)>,
    body: String,
    /// What the page does: `token`, `login` or `logout`.
    steps: Vec<&'static str>,
}

/// What becomes of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcome {
    refusal: Option<String>,
    /// Which Django fails with: a 500.
    error: Option<String>,
    token: String,
    set_cookie: Vec<String>,
}

/// A verdict, by the name of the error here.
type Verdict = Result<(), CsrfError>;

impl Outcome {
    /// Names Django's refusal as it is named here.
    fn verdict(&self) -> Verdict {
        let Some(reason) = self.refusal.as_deref() else { return Ok(()) };
        Err(match reason {
            "Referer checking failed - no Referer." => CsrfError::NoReferer,
            "Referer checking failed - Referer is malformed." => CsrfError::MalformedReferer,
            "Referer checking failed - Referer is insecure while host is secure." => {
                CsrfError::InsecureReferer
            }
            "CSRF cookie not set." => CsrfError::NoSecret,
            "CSRF cookie has incorrect length." | "CSRF cookie has invalid characters." => {
                CsrfError::MalformedSecret
            }
            "CSRF token missing." => CsrfError::NoToken,
            reason if reason.starts_with("Origin checking failed") => CsrfError::Origin,
            reason if reason.starts_with("Referer checking failed") => CsrfError::Referer,
            reason if reason.ends_with(" incorrect.") => CsrfError::WrongToken,
            reason if reason.starts_with("CSRF token from") => CsrfError::MalformedToken,
            reason => panic!("Django refuses with {reason:?}"),
        })
    }
}

impl Visit {
    fn new(settings: Value, method: &'static str) -> Self {
        Self {
            settings,
            port: "80".to_owned(),
            method,
            headers: Vec::new(),
            body: String::new(),
            steps: Vec::new(),
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn form(self, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { body, ..self }.header("Content-Type", "application/x-www-form-urlencoded")
    }

    fn site(&self) -> DjangoSettings {
        let mut site = DjangoSettings::new(SECRET).unwrap();
        for (name, value) in self.settings.as_object().unwrap() {
            // How a Django of long ago stored the secret: read here whatever the setting says.
            if name != "CSRF_COOKIE_MASKED" {
                site = site.set(name, value).unwrap();
            }
        }
        site
    }

    /// Returns the verdict of this crate on the request.
    fn ours(&self) -> (Verdict, Outcome) {
        let site = self.site();
        let (csrf, manager) = (site.csrf().unwrap(), site.session_manager().unwrap());
        let cookies = self.headers.iter().filter(|(name, _)| name == "Cookie");
        let mut session = manager.load(cookies.map(|(_, value)| value.as_str()));
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut request = csrf.read(self.method, headers);
        let body = Some(self.body.as_bytes()).filter(|_| request.needs_form());
        let token = body.and_then(Csrf::token_of_form);
        let mut outcome = Outcome::default();
        let verdict = request.check(&session, token.as_deref());
        if verdict.is_ok() {
            for step in &self.steps {
                match *step {
                    "token" => outcome.token = request.token(&mut session),
                    "login" => session.begin(|_| true),
                    _ => session.flush(),
                }
            }
        }
        let replies = [request.commit(&mut session, 200), manager.commit(&session, 200).unwrap()];
        let cookies = replies.iter().filter_map(|reply| reply.set_cookie.as_ref());
        outcome.set_cookie = cookies.map(ToString::to_string).collect();
        (verdict, outcome)
    }
}

// Tokens of both sides.

/// A browser that was shown pages of both sides.
struct Visitor {
    cookies: BTreeMap<String, String>,
    /// Each token that was shown, and whether it should be accepted.
    tokens: Vec<(String, bool)>,
}

impl Visitor {
    fn cookie_header(&self) -> String {
        let pairs: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn follow(&mut self, case: &Case, set_cookies: &[String]) {
        for line in set_cookies {
            let Some(cookie) = SetCookie::parse(line) else { case.fail(line) };
            if cookie.value.is_empty() {
                self.cookies.remove(&cookie.name);
            } else {
                self.cookies.insert(cookie.name, cookie.value);
            }
        }
    }
}

/// Random settings of where the secret is and what the header is called.
fn site(random: &mut Random) -> Value {
    let (host, header) = (["example.com"], ["HTTP_X_CSRFTOKEN", "HTTP_X_XSRF_TOKEN"]);
    json!({
        "ALLOWED_HOSTS": host,
        "CSRF_USE_SESSIONS": random.once_in(2),
        "CSRF_COOKIE_MASKED": random.once_in(2),
        "CSRF_COOKIE_NAME": *random.pick(&["csrftoken", "csrftoken", "__Host-csrf"]),
        "CSRF_COOKIE_AGE": *random.pick(&[json!(31_449_600), json!(null), json!(60), json!(60.5)]),
        "CSRF_COOKIE_SECURE": true,
        "CSRF_COOKIE_HTTPONLY": random.once_in(2),
        "CSRF_COOKIE_SAMESITE": *random.pick(&["Lax", "Strict", "None"]),
        "CSRF_HEADER_NAME": *random.pick(&header),
        "SESSION_COOKIE_SECURE": true,
    })
}

/// Changes one character of a token to another one of the alphabet.
fn tampered(token: &str, random: &mut Random) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let at = random.below(bytes.len());
    bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn tokens_of_either_side_are_taken_by_the_other() {
    CSRF.on_every_django(0, |worker, cases| {
        let sites: Vec<Value> = cases.iter_mut().map(|case| site(&mut case.random)).collect();
        let new = |_: &Value| Visitor { cookies: BTreeMap::new(), tokens: Vec::new() };
        let mut visitors: Vec<Visitor> = sites.iter().map(new).collect();
        let [mut accepted, mut forged, mut old] = [0; 3];
        for _ in 0..REQUESTS {
            // A page of each side, of which the visitor follows one.
            let pages: Vec<Visit> = visitors
                .iter()
                .zip(&sites)
                .zip(&mut *cases)
                .map(|((visitor, site), case)| {
                    let steps: &[&[&str]] = &[
                        &["token"],
                        &["token"],
                        &["token"],
                        &["login"],
                        &["login", "token"],
                        &["token", "logout"],
                    ];
                    Visit {
                        steps: case.random.pick(steps).to_vec(),
                        ..Visit::new(site.clone(), "GET")
                            .header("Host", "example.com")
                            .header("Cookie", visitor.cookie_header())
                    }
                })
                .collect();
            let outcomes: Vec<Outcome> = worker.ask("visit", &pages);
            for (((case, visitor), page), outcome) in
                cases.iter_mut().zip(&mut visitors).zip(&pages).zip(outcomes)
            {
                case.equal("it fails", None, outcome.error.clone(), page);
                let (_, ours) = page.ours();
                // Which attributes the cookie has.
                let attributes = |outcome: &Outcome| {
                    let cookies =
                        outcome.set_cookie.iter().filter(|line| !line.contains("session"));
                    cookies
                        .map(|line| {
                            let mut cookie = SetCookie::parse(line).expect("it is a cookie");
                            cookie.value.clear();
                            cookie.attributes.remove("expires");
                            cookie
                        })
                        .collect::<Vec<_>>()
                };
                case.equal("the cookie", attributes(&ours), attributes(&outcome), page);
                let is_ours = case.random.once_in(2);
                let chosen = if is_ours { ours } else { outcome };
                // A logout ends a secret that is in the session; Django has it in the next one if
                // the page asked for a token before.
                let ends_at_logout = is_ours && page.settings["CSRF_USE_SESSIONS"] == json!(true);
                let is_over = page.steps.contains(&"logout") && ends_at_logout;
                if page.steps.contains(&"login") || is_over {
                    visitor.tokens.iter_mut().for_each(|(_, is_good)| *is_good = false);
                }
                visitor.follow(case, &chosen.set_cookie);
                // Django 4 masks a masked secret that the same request has made: its own token is lost.
                let is_lost = !is_ours
                    && page.steps == ["login", "token"]
                    && page.settings["CSRF_COOKIE_MASKED"] == json!(true)
                    && worker.about.django.starts_with("4.");
                if !chosen.token.is_empty() && !is_lost {
                    assert_eq!(chosen.token.len(), 64);
                    visitor.tokens.push((chosen.token, !is_over));
                }
            }
            // One of the forms that were shown, sent to both.
            let forms: Vec<(Visit, Option<bool>)> = visitors
                .iter()
                .zip(&sites)
                .zip(&mut *cases)
                .map(|((visitor, site), case)| {
                    let Some((token, is_good)) = visitor.tokens.last().cloned() else {
                        return (form(visitor, site, "", case), Some(false));
                    };
                    let (token, is_good) = match case.random.below(4) {
                        0 => (tampered(&token, &mut case.random), false),
                        1 => visitor.tokens[case.random.below(visitor.tokens.len())].clone(),
                        _ => (token, is_good),
                    };
                    (form(visitor, site, &token, case), Some(is_good))
                })
                .collect();
            let visits: Vec<&Visit> = forms.iter().map(|(visit, _)| visit).collect();
            let outcomes: Vec<Outcome> = worker.ask("visit", &visits);
            for ((case, (visit, is_good)), outcome) in cases.iter().zip(&forms).zip(&outcomes) {
                let (verdict, _) = visit.ours();
                case.equal("the verdict", verdict, outcome.verdict(), visit);
                case.equal("it is accepted", Some(verdict.is_ok()), *is_good, visit);
                match (verdict, is_good) {
                    (Ok(()), _) => accepted += 1,
                    (Err(CsrfError::WrongToken), _) => forged += 1,
                    _ => old += 1,
                }
            }
        }
        if cases.len() > 100 {
            let share = cases.len() * REQUESTS;
            println!("{accepted} accepted, {forged} forged or from before a login, {old} others");
            assert!(accepted > share / 3 && forged > share / 8 && old > 10);
        }
    });
}

fn form(visitor: &Visitor, site: &Value, token: &str, case: &mut Case) -> Visit {
    let visit = Visit::new(site.clone(), "POST")
        .header("Host", "example.com")
        .header("Origin", "http://example.com")
        .header("Cookie", visitor.cookie_header());
    if case.random.once_in(2) {
        return visit.form(format!("a=1&csrfmiddlewaretoken={token}&b=%20"));
    }
    let name = site["CSRF_HEADER_NAME"].as_str().unwrap();
    let name = name.strip_prefix("HTTP_").unwrap().replace('_', "-");
    if token.is_empty() { visit } else { visit.header(&name, token) }
}

// Where requests come from.

const HOSTS: [&str; 14] = [
    "example.com",
    "EXAMPLE.com",
    "example.com:8000",
    "example.com:443",
    "example.com.",
    "www.example.com",
    "a.b.example.com",
    ".example.com",
    "[::1]",
    "[::1]:8000",
    "evil.example",
    "evil.example, example.com",
    "exa mple.com",
    "",
];

const ORIGINS: [&str; 28] = [
    "http://example.com",
    "https://example.com",
    "https://EXAMPLE.com",
    "HTTPS://example.com",
    "https://example.com:443",
    "https://example.com:8000",
    "http://example.com:8000",
    "https://www.example.com",
    "https://a.b.example.com",
    "https://notexample.com",
    "https://example.com.evil.example",
    "https://evil.example",
    "https://user@example.com",
    "https://user@www.example.com",
    "https://[::1]",
    "https://[::1]:8000",
    "https://[www.example.com",
    "https://www.example.com]",
    "https://",
    "https:example.com",
    "//example.com",
    "example.com",
    "null",
    "file://",
    "",
    "https://example.com/",
    "https://www.example.com/a/page?with=query#and",
    "https://evil.example/https://example.com/",
];

fn place(random: &mut Random) -> Visit {
    let mut some = |from: &[&'static str], most: usize| -> Vec<&'static str> {
        (0..random.below(most + 1)).map(|_| *random.pick(from)).collect()
    };
    let allowed = some(
        &["example.com", "example.com", ".example.com", "*", "[::1]", "WWW.example.com", ""],
        3,
    );
    let trusted = some(
        &[
            "https://www.example.com",
            "https://*.example.com",
            "http://*.example.com",
            "https://*.example.com:8000",
            "https://evil.example",
            "https://*",
            "https://*evil.example",
            "HTTPS://*.Example.com",
            "null",
            "example.com",
            "https://[::1]:8000",
        ],
        2,
    );
    let use_sessions = random.once_in(3);
    let settings = json!({
        "ALLOWED_HOSTS": allowed,
        "DEBUG": random.once_in(3),
        "CSRF_TRUSTED_ORIGINS": trusted,
        "CSRF_USE_SESSIONS": use_sessions,
        "CSRF_COOKIE_DOMAIN": *random.pick(&[None, None, Some("example.com"), Some(".example.com")]),
        "SESSION_COOKIE_DOMAIN": *random.pick(&[None, Some("www.example.com")]),
        "SECURE_PROXY_SSL_HEADER":
            *random.pick(&[None, Some(["HTTP_X_FORWARDED_PROTO", "https"]), Some(["HTTP_X_TLS", "on"])]),
        "USE_X_FORWARDED_HOST": random.once_in(2),
        "USE_X_FORWARDED_PORT": random.once_in(2),
    });
    let secret = "abcdefghijklmnopqrstuvwxyz012345";
    let session = SessionCodec::new(&signed_session::Keyring::new(SECRET).unwrap())
        .encode_as(&json!({ "_csrftoken": secret }))
        .unwrap();
    let mut visit = Visit::new(settings.clone(), "POST")
        .header("Cookie", format!("csrftoken={secret}; sessionid={session}"))
        .form(format!("csrfmiddlewaretoken={secret}"));
    let good = random.once_in(2);
    let mut host = if good { "example.com" } else { *random.pick(&HOSTS) };
    visit = visit.header("Host", host);
    if random.once_in(3) {
        let forwarded = *random.pick(&HOSTS);
        visit = visit.header("X-Forwarded-Host", forwarded);
        if settings["USE_X_FORWARDED_HOST"] == json!(true) {
            host = forwarded;
        }
    }
    // Served directly, on the port that the host names.
    if let Some((_, port)) = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
        visit.port = port.to_owned();
    }
    if random.once_in(3) {
        visit = visit.header("X-Forwarded-Port", *random.pick(&["443", "80", "8000"]));
    }
    for (name, values) in [
        ("X-Forwarded-Proto", ["https", "https", "http", "https, http", " https ,http", "HTTPS"]),
        ("X-TLS", ["on", "on", "off", "", "on,off", "https"]),
    ] {
        if !random.once_in(4) {
            visit = visit.header(name, random.pick(&values).trim());
        }
    }
    for (name, times) in [("Origin", 2), ("Referer", 4)] {
        if random.below(4) < times {
            visit = visit.header(name, *random.pick(&ORIGINS));
        }
    }
    if random.once_in(40) {
        visit = visit.header("Origin", "https://example.com");
    }
    visit
}

#[test]
fn origins_and_referers_are_judged_as_by_django() {
    let seen = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    CSRF.on_every_django(1, |worker, cases| {
        // Several a case: each is small.
        let visits: Vec<Visit> = cases
            .iter_mut()
            .flat_map(|case| (0..8).map(|_| place(&mut case.random)).collect::<Vec<_>>())
            .collect();
        let outcomes: Vec<Outcome> = worker.ask("visit", &visits);
        let cases = cases.iter().flat_map(|case| std::iter::repeat_n(case, 8));
        for ((case, visit), outcome) in cases.zip(&visits).zip(&outcomes) {
            case.equal("it fails", None, outcome.error.clone(), visit);
            let verdict = visit.ours().0;
            // D24: `null` is not trusted, even where Django's settings list it.
            let origins: Vec<&str> = visit
                .headers
                .iter()
                .filter(|(name, _)| name == "Origin")
                .map(|(_, value)| value.as_str())
                .collect();
            let is_bare = ["null", "example.com"].contains(&&*origins.join(","));
            let theirs = if is_bare { Err(CsrfError::Origin) } else { outcome.verdict() };
            case.equal("the verdict", verdict, theirs, visit);
            *seen.borrow_mut().entry(format!("{verdict:?}")).or_default() += 1;
        }
    });
    let seen = seen.into_inner();
    if seen.values().sum::<usize>() > 2000 {
        println!("{seen:?}");
        let least = |verdict: &str| seen.get(verdict).copied().unwrap_or_default() > 5;
        let verdicts = [
            "Ok(())",
            "Err(Origin)",
            "Err(Referer)",
            "Err(MalformedReferer)",
            "Err(InsecureReferer)",
        ];
        assert!(verdicts.into_iter().all(least), "{seen:?}");
    }
}

// Text that is not a secret, and text that is not a token.

/// Texts that are nearly secrets or tokens; the last but two are both for one secret.
fn texts(random: &mut Random) -> String {
    let secret = "abcdefghijklmnopqrstuvwxyz012345";
    let masked = format!("{}{secret}", "a".repeat(32));
    match random.below(16) {
        0 => String::new(),
        1 => secret[1..].to_owned(),
        2 => format!("{secret}a"),
        3 => secret.replace('c', "-"),
        4 => masked[1..].to_owned(),
        5 => format!("{masked}a"),
        6 => masked.replace('c', "_"),
        7 => secret.to_uppercase(),
        8 => format!("{secret}{secret}"),
        9 => secret.replace('c', "é"),
        10 => "ab".repeat(8),
        11 | 12 => masked,
        _ => secret.to_owned(),
    }
}

fn odd(random: &mut Random) -> Visit {
    let use_sessions = random.once_in(2);
    let settings = json!({ "ALLOWED_HOSTS": ["*"], "CSRF_USE_SESSIONS": use_sessions });
    let method = *random.pick(&["POST", "POST", "POST", "PUT", "DELETE", "PATCH", "GET", "HEAD"]);
    let mut visit = Visit::new(settings, method).header("Host", "example.com");
    visit.steps = vec!["token"];
    if use_sessions {
        let odd = [json!(null), json!(42), json!(vec!["a"; 32]), json!({}), json!(true)];
        let value = match random.below(12) {
            0 => random.pick(&odd).clone(),
            _ => json!(texts(random)),
        };
        let entries = if random.once_in(12) { json!({}) } else { json!({ "_csrftoken": value }) };
        let codec = SessionCodec::new(&signed_session::Keyring::new(SECRET).unwrap());
        visit = visit.header("Cookie", format!("sessionid={}", codec.encode_as(&entries).unwrap()));
    } else {
        for _ in 0..*random.pick(&[1, 1, 1, 2, 0]) {
            let text = texts(random).replace('é', "-");
            let around = *random.pick(&["", "", "", "\"", " "]);
            visit = visit.header("Cookie", format!("a=b; csrftoken={around}{text}{around}; c=d"));
        }
    }
    let w = *random.pick(&["w", "w", "%77", "%7", "+"]);
    let spelled = "csrfmiddlewaretoken".replace('w', w);
    let mut fields: Vec<String> = (0..*random.pick(&[1, 1, 2, 0]))
        .map(|_| {
            let text = texts(random).replace('é', "%C3%A9");
            let text = if random.once_in(4) { text.replace('a', "%61") } else { text };
            format!("{spelled}={text}{}", *random.pick(&["", "", "", "+", "%20", "%00"]))
        })
        .collect();
    fields.push((*random.pick(&["a=1", "", "=", "&&", "csrfmiddlewaretoken2=1", "%"])).to_owned());
    match random.below(8) {
        0..4 => visit = visit.form(fields.join("&")),
        4 => {
            visit.body = fields.join("&");
            let kinds = [
                "application/json",
                "text/plain",
                "APPLICATION/x-www-form-urlencoded ; charset=utf-8",
            ];
            visit = visit.header("Content-Type", *random.pick(&kinds));
        }
        _ => {
            let text = texts(random).replace('é', "-");
            if !text.is_empty() {
                visit = visit.header("X-CSRFToken", text);
            }
        }
    }
    visit
}

#[test]
fn odd_secrets_and_tokens_are_judged_as_by_django_and_never_written() {
    let seen = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    CSRF.on_every_django(2, |worker, cases| {
        let visits: Vec<Visit> = cases
            .iter_mut()
            .flat_map(|case| (0..8).map(|_| odd(&mut case.random)).collect::<Vec<_>>())
            .collect();
        let outcomes: Vec<Outcome> = worker.ask("visit", &visits);
        let titles = cases.iter().flat_map(|case| std::iter::repeat_n(case, 8));
        let mut next = Vec::new();
        for ((case, visit), outcome) in titles.zip(&visits).zip(&outcomes) {
            let (verdict, _) = visit.ours();
            let in_session = visit.settings["CSRF_USE_SESSIONS"] == json!(true);
            let is_safe = ["GET", "HEAD"].contains(&visit.method);
            if outcome.error.is_some() {
                // A 500 there; a refusal here that the next page undoes.
                let ours = if is_safe { Ok(()) } else { Err(CsrfError::MalformedSecret) };
                case.equal("where Django fails", verdict, ours, visit);
            } else if verdict == Err(CsrfError::MalformedSecret) && in_session {
                case.equal("it passes", false, outcome.verdict().is_ok(), visit);
            } else {
                case.equal("the verdict", verdict, outcome.verdict(), visit);
            }
            let kind = if outcome.error.is_some() { "fails there" } else { "" };
            *seen.borrow_mut().entry(format!("{verdict:?} {kind}")).or_default() += 1;

            // A page here, and one in Django with what it left.
            let page = Visit { method: "GET", body: String::new(), ..visit.clone() };
            let (_, shown) = page.ours();
            let mut visitor = Visitor { cookies: BTreeMap::new(), tokens: Vec::new() };
            let sent = page.headers.iter().filter(|(name, _)| name == "Cookie");
            for (name, value) in
                sent.flat_map(|(_, line)| line.split("; ").filter_map(|pair| pair.split_once('=')))
            {
                visitor.cookies.insert(name.to_owned(), value.to_owned());
            }
            visitor.follow(case, &shown.set_cookie);
            next.push(
                Visit { steps: vec!["token"], ..Visit::new(visit.settings.clone(), "POST") }
                    .header("Host", "example.com")
                    .header("Cookie", visitor.cookie_header())
                    .form(format!("csrfmiddlewaretoken={}", shown.token)),
            );
        }
        let outcomes: Vec<Outcome> = worker.ask("visit", &next);
        let titles = cases.iter().flat_map(|case| std::iter::repeat_n(case, 8));
        for ((case, visit), outcome) in titles.zip(&next).zip(&outcomes) {
            case.equal("it fails", None, outcome.error.clone(), visit);
            case.equal("the verdict", Ok(()), outcome.verdict(), visit);
        }
    });
    let seen = seen.into_inner();
    if seen.values().sum::<usize>() > 2000 {
        println!("{seen:?}");
        let errors = ["NoSecret", "MalformedSecret", "NoToken", "MalformedToken", "WrongToken"];
        for verdict in errors.map(|error| format!("Err({error}) ")) {
            assert!(seen.get(&verdict).is_some_and(|count| *count > 30), "{verdict} in {seen:?}");
        }
        assert!(seen["Err(MalformedSecret) fails there"] > 30 && seen["Ok(()) "] > 300);
    }
    // The name of the entry that all of this is about.
    let mut session = signed_session::Session::new();
    let csrf = django::Csrf::new("https://example.com").unwrap().in_session();
    let _ = csrf.read("GET", []).token(&mut session);
    assert_eq!(session.keys().collect::<Vec<_>>(), ["_csrftoken"]);
}
