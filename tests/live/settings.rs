//! The line of the documentation has a real project print its settings, and they are its settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use signed_session::SessionCodec;
use signed_session::django::{DjangoSettings, Level, Message, SettingsError};
use support::django::{Django, environments};

/// The line as it stands in the documentation of `DjangoSettings::from_json`, and in the guide.
fn line() -> String {
    let lines = ["src/django/settings.rs", "src/guide.rs"].map(|source| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        let source = fs::read_to_string(source).unwrap();
        let mut lines = source.lines().filter_map(|line| line.trim().get(4..));
        let line = lines.find(|line| line.starts_with("(umask 077 "));
        line.expect("the line is in the documentation").to_owned()
    });
    assert_eq!(lines[0], lines[1]);
    lines[0].clone()
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

/// Has the shell run the line in the project's folder, and reads the file that it writes.
fn printed(django: &Django, folder: &Path) -> String {
    let python = django.python.parent().unwrap();
    let path = std::env::join_paths(
        [python.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = Command::new("sh")
        .args(["-c", &line()])
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env_remove("DJANGO_SETTINGS_MODULE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = folder.join("django-settings.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else can read it");
    }
    fs::read_to_string(file).unwrap()
}

/// Has the project sign a session, and says the cookie's name, value and attributes.
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
        let settings = DjangoSettings::from_json(&printed(&django, &folder)).unwrap();
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
        let settings = DjangoSettings::from_json(&printed(&django, &folder)).unwrap();
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
