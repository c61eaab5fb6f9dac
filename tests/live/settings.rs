//! The script of the documentation has real projects write their settings, and they are theirs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use signed_session::django::{DjangoSettings, Level, Message, SettingsError};
use signed_session::{SessionCodec, Weakness};
use support::django::{Django, environments};

/// The command as it stands in the documentation of `DjangoSettings::from_json`, and in the guide.
fn command() -> String {
    let commands = ["src/django/settings.rs", "src/guide.rs"].map(|source| {
        let source = fs::read_to_string(package().join(source)).unwrap();
        let mut lines = source.lines().filter_map(|line| line.trim().get(4..));
        let line = lines.find(|line| line.starts_with("python manage.py shell"));
        line.expect("the command is in the documentation").to_owned()
    });
    assert_eq!(commands[0], commands[1]);
    commands[0].clone()
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A real project in a folder of its own, which `settings` are added to.
fn project(django: &Django, name: &str, settings: &str) -> PathBuf {
    let name = format!("{name}_{}", django.version.replace('.', "_"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let made = Command::new(&django.python)
        .args(["-m", "django", "startproject", "site_of_the_test", "."])
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
    let file = folder.join("site_of_the_test/settings.py");
    let all = fs::read_to_string(&file).unwrap() + settings;
    fs::write(file, all).unwrap();
    folder
}

/// Runs the command with the shell in the project's folder.
fn run(django: &Django, folder: &Path) -> Output {
    fs::copy(package().join("src/django/write_settings.py"), folder.join("write_settings.py"))
        .unwrap();
    let python = django.python.parent().unwrap();
    let path = std::env::join_paths(
        [python.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    Command::new("sh")
        .args(["-c", &command()])
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env_remove("DJANGO_SETTINGS_MODULE")
        .env_remove("SETTINGS_JSON")
        .output()
        .unwrap()
}

/// Runs the project's script that writes its settings, and reads the file.
fn written(django: &Django, folder: &Path) -> String {
    let output = run(django, folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = folder.join("django-settings.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else can read it");
    }
    fs::read_to_string(file).unwrap()
}

/// Signs a session in the project, and returns the cookie's name, value and attributes.
fn session_of(django: &Django, folder: &Path) -> String {
    let program = "
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
def view(request):
    request.session['who'] = 'Django'
    return HttpResponse()
print(SessionMiddleware(view)(HttpRequest()).cookies.output(header='').strip())
";
    let output = Command::new(&django.python)
        .args(["manage.py", "shell", "-v", "0", "-c", program])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_new_project_is_told_what_to_do_about_its_database_sessions() {
    for django in environments() {
        let folder = project(&django, "new", "");
        let settings = DjangoSettings::from_json(&written(&django, &folder)).unwrap();
        assert_eq!(settings.session_manager().err(), Some(SettingsError::SessionEngine));
    }
}

#[test]
fn a_real_project_s_settings_give_the_manager_of_its_sessions() {
    for django in environments() {
        let folder = project(
            &django,
            "changed",
            "
SECRET_KEY = b'\\x00\\xff bytes are legal \\xf0'
SECRET_KEY_FALLBACKS = ['ключ \"\\' $HOME']
SESSION_ENGINE = 'django.contrib.sessions.backends.signed_cookies'
SESSION_COOKIE_AGE = 3600
SESSION_COOKIE_NAME = 'sid'
SESSION_COOKIE_DOMAIN = '.example.com'
SESSION_COOKIE_PATH = '/app'
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = False
SESSION_COOKIE_SAMESITE = 'Strict'
SESSION_OF_ANOTHER_PACKAGE = object()
MESSAGE_STORAGE = 'django.contrib.messages.storage.cookie.CookieStorage'
MESSAGE_TAGS = {40: 'danger'}
",
        );
        let settings = DjangoSettings::from_json(&written(&django, &folder)).unwrap();
        let manager = settings.session_manager().unwrap();

        let theirs = session_of(&django, &folder);
        let pair = theirs.split(';').next().unwrap();
        let mut session = manager.load([pair]);
        assert_eq!(session.get("who"), Ok(Some("Django".to_owned())), "{:?}", session.refusal());
        session.insert("who", "Rust").unwrap();
        let ours = manager.commit(&session, 200).unwrap().set_cookie.unwrap().to_string();
        assert_eq!(attributes(&ours), attributes(&theirs));

        let messages = settings.message_storage().unwrap();
        assert_eq!(messages.tags(&Message::new(Level::ERROR, "no")), "danger");

        let old = signed_session::Keyring::new("ключ \"' $HOME").unwrap();
        let token = SessionCodec::new(&old).encode(&session).unwrap();
        assert_eq!(manager.load([&format!("sid={token}")]).key_index(), Some(1));
    }
}

#[test]
fn a_project_of_any_kind_writes_the_key_that_django_signs_with() {
    let kinds = [
        ("text", "SECRET_KEY = 'ключ ' * 9"),
        ("bytes", "SECRET_KEY = b'\\x00\\xff' * 20"),
        ("bytearray", "SECRET_KEY = bytearray(b'a byte array is a key of its own, by str()')"),
        ("memoryview", "SECRET_KEY = memoryview(b'a memory view is its bytes, 0123456789')"),
        ("number", "SECRET_KEY = 12345678901234567890123456789012345"),
        (
            "lazy",
            "from django.utils.functional import lazy
SECRET_KEY = lazy(lambda: 'lazy ' * 9, str)()",
        ),
        (
            "lazy object",
            "from django.utils.functional import SimpleLazyObject
SECRET_KEY = SimpleLazyObject(lambda: 'lazy object ' * 9)",
        ),
        (
            "lazy bytes",
            "from django.utils.functional import SimpleLazyObject
SECRET_KEY = SimpleLazyObject(lambda: b'lazy bytes ' * 9)",
        ),
        (
            "subclass",
            "class Secret(str):
    def __repr__(self):
        return '***'
SECRET_KEY = Secret('subclass ' * 9)",
        ),
        (
            "talkative",
            "print('{\"loaded\": true}')
print('warning', file=__import__('sys').stderr)
SECRET_KEY = 'talkative ' * 9",
        ),
        (
            "computed",
            "import datetime
SECRET_KEY = 'computed ' * 9
SECRET_KEY_FALLBACKS = tuple(''.split(',')) + (None, b'', 'of last year ' * 9)
SESSION_COOKIE_AGE = datetime.timedelta(days=7).total_seconds()
SESSION_COOKIE_SECURE = 1
SESSION_COOKIE_PATH = ''
AUTHENTICATION_BACKENDS = ('shop.Backend',)
CSRF_COOKIE_AGE = datetime.timedelta(days=7)
CSRF_TRUSTED_ORIGINS = {'https://a.example'}
SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')",
        ),
    ];
    for django in environments() {
        for (kind, lines) in kinds {
            let name = format!("kind_{}", kind.replace(' ', "_"));
            let folder = project(
                &django,
                &name,
                &format!(
                    "
{lines}
SESSION_ENGINE = 'django.contrib.sessions.backends.signed_cookies'
"
                ),
            );
            let settings = DjangoSettings::from_json(&written(&django, &folder)).unwrap();
            let manager = settings.session_manager().unwrap();
            let theirs = session_of(&django, &folder);
            let theirs = theirs.lines().last().unwrap();
            let mut session = manager.load([theirs.split(';').next().unwrap()]);
            let who = session.get("who");
            assert_eq!(who, Ok(Some("Django".to_owned())), "{kind}: {:?}", session.refusal());
            session.insert("who", "Rust").unwrap();
            let ours = manager.commit(&session, 200).unwrap().set_cookie.unwrap().to_string();
            let strip = |cookie: &str| attributes(&cookie.replace("sessionid=", "sid="));
            assert_eq!(strip(&ours), strip(theirs), "{kind}");
            if kind == "computed" {
                #[cfg(feature = "random")]
                check_forms(&settings);
                assert_eq!(settings.authentication_backends(), ["shop.Backend"]);
                let weak = settings.keyring().weaknesses();
                assert_eq!(weak.iter().filter(|(_, fault)| *fault == Weakness::Empty).count(), 3);
                let old = signed_session::Keyring::new("of last year ".repeat(9)).unwrap();
                let token = SessionCodec::new(&old).encode(&session).unwrap();
                assert_eq!(manager.load([&format!("sessionid={token}")]).key_index(), Some(1));
            }
        }
    }
}

/// The forms of the project with computed settings.
#[cfg(feature = "random")]
fn check_forms(settings: &DjangoSettings) {
    use signed_session::django::CsrfError;

    let session = &mut signed_session::Session::new();
    let csrf = settings.csrf().unwrap();
    let mut page = csrf.read("GET", []);
    let token = page.token(session);
    let secret = page.commit(session, 200).set_cookie.unwrap();
    assert_eq!(secret.max_age(), Some(time::Duration::WEEK));
    // By `SECURE_PROXY_SSL_HEADER` it is https, and a trusted origin's.
    let sent = secret.stripped().to_string();
    let headers =
        [("x-forwarded-proto", "https"), ("referer", "https://a.example/page"), ("cookie", &*sent)];
    let headers = headers.map(|(name, value)| (name, value.as_bytes()));
    assert_eq!(csrf.read("POST", headers).check(session, Some(&token)), Ok(()));
    let http = csrf.read("POST", headers[1..].iter().copied());
    assert_eq!(http.check(session, Some(&token)), Ok(()), "no Referer is asked for");
    let other = [headers[0], ("referer", b"https://b.example/"), headers[2]];
    let refused = csrf.read("POST", other).check(session, Some(&token));
    assert_eq!(refused, Err(CsrfError::Referer));
}

#[test]
fn a_run_that_fails_leaves_the_file_that_was_there() {
    for django in environments() {
        let folder = project(&django, "failing", "");
        let good = written(&django, &folder);
        let listed = || {
            let mut names: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let names = listed();
        let module = folder.join("site_of_the_test/settings.py");
        let settings = fs::read_to_string(&module).unwrap();
        for fault in [
            "raise RuntimeError('no environment')",
            "SECRET_KEY = ''",
            "SECRET_KEY_FALLBACKS = 'text'",
            "class Bad(str):
    def __new__(cls): raise ValueError
from django.utils.functional import lazy
SECRET_KEY = lazy(Bad, str)()",
            "MESSAGE_TAGS = {(1, 2): 'no key of JSON'}",
        ] {
            fs::write(&module, format!("{settings}\n{fault}\n")).unwrap();
            let output = run(&django, &folder);
            assert!(!output.status.success(), "{fault}");
            assert_eq!(fs::read_to_string(folder.join("django-settings.json")).unwrap(), good);
            assert_eq!(listed(), names, "{fault}");
        }
        // One that others could read is replaced, and not written into.
        fs::write(&module, settings).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let open = fs::Permissions::from_mode(0o644);
            fs::set_permissions(folder.join("django-settings.json"), open).unwrap();
        }
        assert_eq!(written(&django, &folder), good);
    }
}

/// The attributes of a cookie, in order, without its value and date; a leading dot means nothing.
fn attributes(cookie: &str) -> Vec<String> {
    let mut attributes: Vec<String> = cookie
        .replace("Domain=.", "Domain=")
        .split("; ")
        .map(|part| part.split(":").next().unwrap().to_owned())
        .filter(|part| !part.to_ascii_lowercase().starts_with("expires="))
        .map(|part| if part.starts_with("sid=") { "sid".to_owned() } else { part })
        .collect();
    attributes.sort();
    attributes
}
