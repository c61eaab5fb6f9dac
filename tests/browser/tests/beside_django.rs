//! Holds that Django and Rust behind one origin share a login, in a real browser.

use std::env;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use signed_session_browser_tests::{
    Chromium, Site, Visitor, build_package, check_says, serve, until,
};
use tempfile::TempDir;

/// The shop of both languages; what it keeps goes with it.
struct Shop {
    site: Site,
    _folder: TempDir,
}

/// Tells a story beside each Django: 5.2 and 6.1, unless `SIGNED_SESSION_DJANGO` says which.
fn beside_each_django(story: impl Fn(Shop)) {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if env::var_os("SIGNED_SESSION_WITHOUT_DJANGO").is_some_and(|value| value == "1") {
        // Not `eprintln!`: the harness would swallow it.
        let _ = writeln!(io::stderr(), "tests beside Django skipped: there is to be none");
        return;
    }
    let program = PROGRAM.get_or_init(|| build_package("signed-session-example-beside-django"));
    let wanted = env::var("SIGNED_SESSION_DJANGO").unwrap_or_default();
    let wanted = if wanted.trim().is_empty() { "5.2,6.1" } else { wanted.trim() };
    for series in wanted.split(',') {
        let folder = tempfile::tempdir().expect("there is room for the site");
        let site = Site::start(
            Command::new(program).env("SIGNED_SESSION_DJANGO", series).env("TMPDIR", folder.path()),
        );
        assert!(site.said("Django ").starts_with(series.trim()), "{}", site.said("Django "));
        check_readme_shows(site.first_lines());
        story(Shop { site, _folder: folder });
    }
}

/// What is printed stands in the README of the examples, but for what differs each time.
fn check_readme_shows(lines: &[String]) {
    let readme = include_str!("../../../examples/README.md");
    let (_, block) = readme.split_once("```text\nDjango ").expect("a block that begins so");
    let (block, _) = block.split_once("\n```").expect("it ends");
    let block = format!("Django {block}");
    // Versions, addresses, paths and passwords.
    let is_fixed = |word: &&str| !word.contains(|c: char| c == '/' || c.is_ascii_digit());
    let fixed = |line: &str| line.split(' ').filter(is_fixed).collect::<Vec<_>>().join(" ");
    let shown: Vec<String> = block.lines().map(fixed).collect();
    let printed: Vec<String> = lines.iter().map(|line| fixed(line)).collect();
    assert_eq!(printed, shown);
}

impl Shop {
    fn open(&self, visitor: &Visitor, path: &str) {
        visitor.open(&self.site.url(path));
    }

    fn password(&self) -> &str {
        self.site.said("log in as ada with the password ")
    }

    fn secrets(&self) -> &Path {
        Path::new(self.site.said("the secrets are in "))
    }

    /// Writes the file of the secrets: the first signs, all are accepted.
    fn set_secrets(&self, secrets: &[&str]) {
        fs::write(self.secrets(), secrets.join("\n")).expect("the secrets can be changed");
    }

    /// Tells a side to read the secrets again: Django restarts, and Rust goes on.
    fn take_secrets(&self, side: &str) {
        assert_eq!(self.site.tell(side), if side == "rust" { "reloaded" } else { "restarted" });
    }

    /// Lets somebody in who logs in at Django's admin page.
    fn ada(&self, chromium: &Chromium) -> Visitor {
        let visitor = chromium.visitor();
        self.open(&visitor, "/admin/");
        log_in(&visitor, ["Username:", "Password:", "Log in"], self.password());
        check_says(&visitor, "#content h1", "Site administration");
        visitor
    }

    #[track_caller]
    fn check_greets_in_rust(&self, visitor: &Visitor) {
        self.open(visitor, "/rust/");
        check_greets(visitor, "Rust", Some("ada"));
    }

    /// Opens both pages, and sees who the visitor is to either.
    #[track_caller]
    fn check_both_greet(&self, visitor: &Visitor, name: Option<&str>) {
        for (path, side) in [("/rust/", "Rust"), ("/", "Django")] {
            self.open(visitor, path);
            check_greets(visitor, side, name);
        }
    }
}

#[track_caller]
fn check_greets(visitor: &Visitor, side: &str, name: Option<&str>) {
    let greeting = match name {
        Some(name) => format!("{side} greets {name}."),
        None => format!("{side} knows nobody."),
    };
    assert_eq!(visitor.text("#who"), greeting);
}

fn log_in(visitor: &Visitor, [name, password, button]: [&str; 3], typed: &str) {
    visitor.fill(name, "ada");
    visitor.fill(password, typed);
    visitor.click(button);
}

fn log_in_in_rust(visitor: &Visitor, password: &str) {
    log_in(visitor, ["Name", "Password", "Log in in Rust"], password);
}

fn put_into_cart(visitor: &Visitor, thing: &str) {
    visitor.fill("Thing", thing);
    visitor.click("Put into the cart");
}

/// Returns the session's cookie, of which every attribute is as Django has it.
#[track_caller]
fn session(visitor: &Visitor) -> String {
    let cookie = visitor.cookie("sessionid").expect("there is a session");
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Lax");
    assert_eq!((&cookie["path"], &cookie["domain"]), (&"/".into(), &"127.0.0.1".into()));
    assert_eq!((&cookie["secure"], &cookie["session"]), (&false.into(), &false.into()));
    cookie["value"].as_str().expect("a cookie is text").to_owned()
}

// One login.

#[test]
fn a_login_at_the_admin_page_holds_in_rust_until_logout_there() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let ada = shop.ada(&chromium);
        let cookie = session(&ada);
        shop.check_both_greet(&ada, Some("ada"));
        assert_eq!(session(&ada), cookie, "reading a session writes nothing");

        shop.open(&ada, "/rust/");
        put_into_cart(&ada, "apples");
        assert_eq!(ada.text("#cart"), "apples");
        assert_ne!(session(&ada), cookie);
        shop.open(&ada, "/");
        assert_eq!(ada.text("#cart"), "apples");
        put_into_cart(&ada, "pears");
        shop.open(&ada, "/rust/");
        assert_eq!(ada.text("#cart"), "apples\npears");

        ada.click("Log out in Rust");
        check_greets(&ada, "Rust", None);
        assert_eq!(ada.cookie("sessionid"), None);
        assert_eq!(ada.text("#cart"), "");
        shop.check_both_greet(&ada, None);
        shop.open(&ada, "/admin/");
        check_says(&ada, "label[for=id_username]", "Username");
    });
}

#[test]
fn a_login_in_rust_holds_at_the_admin_page_until_logout_there() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let ada = chromium.visitor();
        shop.open(&ada, "/rust/");
        assert_eq!(ada.cookie("sessionid"), None, "a visitor without entries gets no session");
        put_into_cart(&ada, "apples");
        let anonymous = session(&ada);

        log_in_in_rust(&ada, "a guess");
        check_greets(&ada, "Rust", None);
        assert_eq!(ada.text("#messages .error"), "No such name and password.");
        assert_eq!(session(&ada), anonymous);

        log_in_in_rust(&ada, shop.password());
        check_greets(&ada, "Rust", Some("ada"));
        assert_ne!(session(&ada), anonymous);
        shop.open(&ada, "/admin/");
        check_says(&ada, "#content h1", "Site administration");
        shop.check_both_greet(&ada, Some("ada"));
        assert_eq!(ada.text("#cart"), "apples", "what she had chosen before");

        ada.click("Log out in Django");
        check_greets(&ada, "Django", None);
        assert_eq!(ada.cookie("sessionid"), None);
        shop.check_both_greet(&ada, None);
    });
}

#[test]
fn a_new_password_in_django_signs_all_others_out_in_rust() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        // Of the others, one comes to Rust first and one to Django.
        let (ada, in_rust, in_django) =
            (shop.ada(&chromium), shop.ada(&chromium), shop.ada(&chromium));
        shop.check_both_greet(&in_rust, Some("ada"));

        shop.open(&ada, "/admin/password_change/");
        let new = "something that nobody guesses";
        ada.fill("Old password:", shop.password());
        ada.fill("New password:", new);
        ada.fill("New password confirmation:", new);
        ada.click("Change my password");
        check_says(&ada, "#content h1", "Password change successful");
        shop.check_both_greet(&ada, Some("ada"));

        shop.open(&in_rust, "/rust/");
        check_greets(&in_rust, "Rust", None);
        assert_eq!(in_rust.cookie("sessionid"), None);
        shop.check_both_greet(&in_rust, None);
        shop.open(&in_django, "/");
        check_greets(&in_django, "Django", None);
        shop.check_both_greet(&in_django, None);

        shop.open(&in_rust, "/rust/");
        log_in_in_rust(&in_rust, shop.password());
        check_greets(&in_rust, "Rust", None);
        log_in_in_rust(&in_rust, new);
        shop.check_both_greet(&in_rust, Some("ada"));
    });
}

// What the pages say.

/// What both pages have and say, with the name of the side in it.
const SIDES: [(&str, &str); 2] = [("/rust/", "Rust"), ("/", "Django")];

#[test]
fn each_page_says_who_answered_and_who_signed_the_cookie() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let visitor = chromium.visitor();
        for (path, side) in SIDES {
            shop.open(&visitor, path);
            assert_eq!(visitor.text("#stripe"), format!("{side} answered."));
            check_says(&visitor, "#verdict", "None. Your session is empty.");
        }
        for (path, side) in SIDES {
            shop.open(&visitor, path);
            put_into_cart(&visitor, "apples");
            let said = format!("{side} put apples into the cart, and signed the cookie again.");
            assert_eq!(visitor.text("#messages"), said);
            for (path, _) in SIDES {
                shop.open(&visitor, path);
                assert!(!visitor.sees("#messages"), "it was said before");
                check_says(&visitor, "#verdict", &format!("Signed by {side} under key 0, at 20"));
                check_says(&visitor, "#keys", "signs and verifies your cookie");
                assert_eq!(visitor.text("#token"), format!("sessionid={}", session(&visitor)));
            }
        }
        shop.open(&visitor, "/rust/");
        log_in_in_rust(&visitor, shop.password());
        check_says(&visitor, "#messages", "Rust checked the password and logged ada in");
        shop.open(&visitor, "/");
        visitor.click("Log out in Django");
        check_says(&visitor, "#messages", "Django ended the session and had the cookie removed");

        // It is the program in front that knows, whatever a visitor claims.
        put_into_cart(&visitor, "apples");
        let address = shop.site.url("").replace("http://", "");
        for path in ["/rust/", "/"] {
            let mut stream = TcpStream::connect(&address).expect("it listens");
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: sessionid={}\r\n\
                 X-Signed-By: Mallory\r\nConnection: close\r\n\r\n",
                session(&visitor)
            )
            .expect("it reads");
            let mut page = String::new();
            stream.read_to_string(&mut page).expect("it answers");
            assert!(page.contains("Signed by Django under key 0,"), "{page}");
            assert!(!page.contains("Mallory"), "{page}");
        }
    });
}

#[test]
fn each_page_says_under_which_key_while_the_keys_change() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let ada = shop.ada(&chromium);
        let old = fs::read_to_string(shop.secrets()).expect("there is a secret");
        let new = "a newer secret that is long enough not to be guessed";
        let keys = |side: &str| {
            shop.open(&ada, if side == "rust" { "/rust/" } else { "/" });
            let keys = ada.text("#keys");
            let names = keys.lines().map(|line| line.split([',', ':']).nth(1).unwrap().to_owned());
            names.collect::<Vec<String>>()
        };
        assert_eq!(keys("rust"), keys("django"));
        let first = keys("rust");

        // In the wrong order: one side signs with what the other does not know.
        shop.set_secrets(&[new, old.trim_end()]);
        shop.take_secrets("django");
        shop.open(&ada, "/");
        check_says(&ada, "#verdict", "Signed by Django under key 1, at 20");
        check_says(&ada, "#verdict", "a fallback: this answer writes it again under key 0.");
        ada.reload();
        check_says(&ada, "#verdict", "Signed by Django under key 0, at 20");
        let both = keys("django");
        assert_eq!((both.len(), &both[1]), (2, &first[0]));
        let cookie = session(&ada);
        assert_eq!(keys("rust"), first);
        check_says(&ada, "#verdict", "Refused. To Rust you are a stranger.");
        check_greets(&ada, "Rust", None);
        assert_eq!(session(&ada), cookie, "it stays for those who can read it");

        shop.take_secrets("rust");
        assert_eq!(keys("rust"), both);
        check_says(&ada, "#verdict", "Signed by Django under key 0, at 20");
        shop.check_both_greet(&ada, Some("ada"));

        shop.set_secrets(&["another one, with which nothing has been signed so far"]);
        shop.take_secrets("django");
        shop.open(&ada, "/");
        check_says(&ada, "#verdict", "Refused. To Django you are a stranger.");
        assert_eq!(session(&ada), cookie, "it stays for those who can read it");
        shop.check_greets_in_rust(&ada);
    });
}

#[test]
fn both_login_pages_show_the_password_that_they_take() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        for path in ["/rust/", "/", "/admin/login/"] {
            let visitor = chromium.visitor();
            shop.open(&visitor, path);
            check_says(&visitor, "#password", &format!("the password {},", shop.password()));
        }
    });
}

#[test]
fn both_pages_fit_a_phone_and_follow_the_visitors_colours() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        // Not at the admin page, whose icon is missing.
        let ada = chromium.visitor();
        shop.open(&ada, "/rust/");
        log_in_in_rust(&ada, shop.password());
        let long = "a_thing_that_is_rather_long_and_has_no_spaces_at_all".repeat(4);
        let stripe = "getComputedStyle(document.querySelector('.stripe')).backgroundColor";
        let mut colours = Vec::new();
        for (path, _) in SIDES {
            for width in [390, 1280] {
                ada.resize(width, 844);
                shop.open(&ada, path);
                put_into_cart(&ada, &long);
                let widest = ada.read(
                    "(page => page.scrollWidth <= page.clientWidth ? 'fits' : `${page.scrollWidth}`)\
                     (document.documentElement)",
                );
                assert_eq!(widest, "fits", "{path} at {width}");
            }
            colours.push(ada.read(stripe));
            assert_eq!(ada.complaints(), [""; 0]);
        }
        ada.prefer_dark();
        for (path, _) in SIDES {
            shop.open(&ada, path);
            let page = "getComputedStyle(document.body).backgroundColor";
            assert_eq!(ada.read(page), "rgb(20, 22, 26)");
            colours.push(ada.read(stripe));
        }
        colours.sort();
        colours.dedup();
        assert_eq!(colours.len(), 4, "each side has its own, by day and by night: {colours:?}");
        for url in ada.requests() {
            assert!(url.starts_with(&shop.site.url("/")) || url.starts_with("data:"), "{url}");
        }
    });
}

// One secret after another.

#[test]
fn the_secret_is_rotated_on_each_side_and_no_session_is_lost() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let mut secret = fs::read_to_string(shop.secrets()).expect("there is a secret");
        secret.truncate(secret.trim_end().len());
        for (round, order) in [["django", "rust"], ["rust", "django"]].iter().enumerate() {
            let (ada, idle) = (shop.ada(&chromium), shop.ada(&chromium));
            shop.open(&ada, "/rust/");
            put_into_cart(&ada, "apples");
            let new = format!("a secret for round {round} that is long enough not to be guessed");
            // As SECURITY.md has it: a fallback first, then in front, and in the end alone.
            for secrets in [&[&*secret, &*new][..], &[&new, &secret], &[&new]] {
                shop.set_secrets(secrets);
                for side in order {
                    shop.take_secrets(side);
                    shop.check_both_greet(&ada, Some("ada"));
                    assert_eq!(ada.text("#cart"), "apples");
                    if side == &order[0] && secrets.len() > 1 {
                        // And while one side is ahead, a login on either is one on the other.
                        let other = shop.ada(&chromium);
                        shop.check_both_greet(&other, Some("ada"));
                        shop.open(&other, "/rust/");
                        other.click("Log out in Rust");
                        log_in_in_rust(&other, shop.password());
                        shop.check_both_greet(&other, Some("ada"));
                    }
                }
            }
            // Who never came in the meantime shows that the former secret is gone indeed.
            shop.check_both_greet(&idle, None);
            secret = new;
        }
    });
}

// Messages.

#[test]
fn a_message_of_one_side_is_shown_once_by_the_other() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        // Too long for the cookie of messages, it goes into the session.
        let long: String = (1_u64..400).map(|n| format!("{:x}", n * n * 2_654_435_761)).collect();
        for (path, button, tags) in [
            ("/rust/", "Leave it for Django to show", "from-rust success"),
            ("/", "Leave it for Rust to show", "from-django success"),
        ] {
            for (text, is_in_session) in [("Zoë & <b>co</b>", false), (&long[..3200], true)] {
                let visitor = chromium.visitor();
                shop.open(&visitor, path);
                visitor.paste("Message", text);
                visitor.click(button);
                // The side that was told has sent the visitor to the other.
                assert_eq!(visitor.read("location.pathname == '/' ? '/rust/' : '/'"), path);
                assert_eq!(visitor.text("#messages"), text);
                assert_eq!(visitor.read("document.querySelector('#messages li').className"), tags);
                let set = visitor.set_cookies().concat();
                assert!(set.contains("messages="), "{set}");
                assert_eq!(set.contains("sessionid="), is_in_session, "{set}");

                for path in ["/", "/rust/"] {
                    shop.open(&visitor, path);
                    assert!(!visitor.sees("#messages"), "it was shown before");
                }
                // Of one in the session Django leaves a mark in the cookie that nothing is in it.
                assert!(is_in_session || visitor.cookie("messages").is_none());
                assert_eq!(visitor.complaints(), [""; 0]);
            }
        }
    });
}

// Forms.

/// The token of the first form on the page.
fn token(visitor: &Visitor) -> String {
    visitor.read("document.querySelector('[name=csrfmiddlewaretoken]').value")
}

/// Puts a token into every form on the page.
fn set_tokens(visitor: &Visitor, token: &str) {
    let fields = "document.querySelectorAll('[name=csrfmiddlewaretoken]')";
    visitor.read(&format!("{fields}.forEach(field => field.value = '{token}'), ''"));
}

/// The buttons of each side's page: the first sends the form to the page's own side.
const PAGES: [(&str, [&str; 2]); 2] = [
    ("/rust/", ["Put into the cart", "Have Django put it there"]),
    ("/", ["Put into the cart", "Have Rust put it there"]),
];

#[test]
fn a_form_that_one_side_rendered_is_accepted_by_the_other() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        for visitor in [chromium.visitor(), shop.ada(&chromium)] {
            let mut cart = Vec::new();
            for (path, buttons) in PAGES {
                for button in buttons {
                    shop.open(&visitor, path);
                    visitor.fill("Thing", "figs");
                    visitor.click(button);
                    cart.push("figs");
                    assert_eq!(visitor.text("#cart"), cart.join("\n"), "{path} {button}");
                }
            }
        }
    });
}

#[test]
fn a_token_from_before_the_login_is_refused_by_both() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        for login in ["/rust/", "/admin/"] {
            let ada = chromium.visitor();
            shop.open(&ada, login);
            let (old, planted) = (token(&ada), ada.cookie("csrftoken").unwrap()["value"].clone());
            if login == "/rust/" {
                log_in_in_rust(&ada, shop.password());
            } else {
                log_in(&ada, ["Username:", "Password:", "Log in"], shop.password());
            }
            assert_ne!(ada.cookie("csrftoken").unwrap()["value"], planted);
            for (path, buttons) in PAGES {
                for button in buttons {
                    shop.open(&ada, path);
                    set_tokens(&ada, &old);
                    ada.fill("Thing", "figs");
                    ada.click(button);
                    check_says(&ada, "body", "403");
                }
            }
            shop.check_both_greet(&ada, Some("ada"));
            assert_eq!(ada.text("#cart"), "");
        }
    });
}

#[test]
fn a_form_on_another_origin_changes_nothing_in_either() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        let (ada, attacker) = (shop.ada(&chromium), chromium.visitor());
        shop.open(&ada, "/rust/");
        put_into_cart(&ada, "apples");
        shop.open(&attacker, "/rust/");
        let own = attacker.cookie("csrftoken").unwrap()["value"].as_str().unwrap().to_owned();
        // Another port is another origin but the same site: the cookies come along, and a script
        // there can plant one, with a token that fits it.
        let form = |path: &str, token: &str| {
            format!(
                "<form method=post action='{}'><input type=hidden name=thing value=figs>{token}\
                 <button>{path}</button></form>",
                shop.site.url(path)
            )
        };
        let field =
            |token: &str| format!("<input type=hidden name=csrfmiddlewaretoken value='{token}'>");
        let planted = format!("<script>document.cookie = 'csrftoken={own}; path=/'</script>");
        for (token, script) in [("", ""), (&*field(&own), ""), (&field(&own), &planted)] {
            let other = serve(script.to_owned() + &form("/rust/add", token) + &form("/add", token));
            for path in ["/rust/add", "/add"] {
                ada.open(&other);
                ada.click(path);
                check_says(&ada, "body", "403");
            }
        }
        assert_eq!(ada.cookie("csrftoken").unwrap()["value"], own, "it was planted indeed");
        shop.check_both_greet(&ada, Some("ada"));
        assert_eq!(ada.text("#cart"), "apples");
    });
}

#[test]
fn another_origin_cannot_log_a_visitor_in_to_an_account_of_its_own() {
    beside_each_django(|shop| {
        let chromium = Chromium::start();
        // One who was never here, and one who has a page of the site open.
        let (new, known) = (chromium.visitor(), chromium.visitor());
        shop.open(&known, "/rust/");
        let form = |path: &str| {
            format!(
                "<form method=post action='{}'><input type=hidden name=username value=ada>\
                 <input type=hidden name=password value='{}'><button>{path}</button></form>",
                shop.site.url(path),
                shop.password()
            )
        };
        let other = serve(form("/rust/login") + &form("/admin/login/"));
        for visitor in [&new, &known] {
            for path in ["/rust/login", "/admin/login/"] {
                visitor.open(&other);
                visitor.click(path);
                check_says(visitor, "body", "403");
            }
            assert_eq!(visitor.cookie("sessionid"), None);
            shop.check_both_greet(visitor, None);
        }
    });
}

// The program.

#[test]
fn django_ends_with_the_program_that_started_it_even_if_killed() {
    beside_each_django(|mut shop| {
        let (_, django) = shop.site.said("Django ").split_once("http://").expect("an address");
        TcpStream::connect(django).expect("Django runs");
        let django = django.to_owned();
        shop.site.kill();
        until("the end of Django", || TcpStream::connect(&django).is_err().then_some(()));
    });
}
