//! Finds a Python and gives it the real Django, in environments of the tests' own.
//!
//! An environment is made once for each series and Python, under the `tmp`
//! folder of cargo's target, and used again as long as it works.
//!
//! | variable | meaning |
//! |---|---|
//! | `SIGNED_SESSION_DJANGO` | The wanted Djangos, as `5.2` or `4.2,5.2,6.1`. Unset: the newest for `python3`. |
//! | `SIGNED_SESSION_WITHOUT_DJANGO` | `1`: the tests that need Django are skipped, and pass. |

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

const WANTED: &str = "SIGNED_SESSION_DJANGO";
const WITHOUT: &str = "SIGNED_SESSION_WITHOUT_DJANGO";

/// A Django that can be imported.
#[derive(Clone, Debug)]
pub struct Django {
    /// Its whole version, such as `5.2.15`.
    pub version: String,
    /// The Python that imports it.
    pub python: PathBuf,
}

/// Returns every wanted Django, installed if it was not; none if the tests are to do without.
///
/// # Panics
///
/// With one sentence that says what is missing.
pub fn environments() -> Vec<Django> {
    static ENVIRONMENTS: OnceLock<Result<Vec<Django>, String>> = OnceLock::new();
    match ENVIRONMENTS.get_or_init(find_or_make) {
        Ok(environments) => environments.clone(),
        Err(sentence) => panic!("{sentence}"),
    }
}

fn find_or_make() -> Result<Vec<Django>, String> {
    if env::var_os(WITHOUT).is_some_and(|value| value == "1") {
        // Not `eprintln!`: the harness would swallow it.
        let _ = writeln!(io::stderr(), "live Django tests skipped: {WITHOUT}=1 is set");
        return Ok(Vec::new());
    }
    wanted().map_err(|reason| format!("{reason}; set {WITHOUT}=1 to skip the live Django tests"))
}

/// Returns every wanted Django, installed if it was not; there is at least one.
///
/// # Errors
///
/// One sentence that says what is missing.
pub fn wanted() -> Result<Vec<Django>, String> {
    let wanted = env::var(WANTED).unwrap_or_default();
    let series: Vec<Series<'_>> = match wanted.trim() {
        "" => vec![Series::NEWEST],
        list => list.split(',').map(|name| Series::new(name.trim())).collect::<Result<_, _>>()?,
    };
    series.iter().map(Series::environment).collect()
}

/// A wanted Django.
struct Series<'a> {
    /// The beginning of its version.
    name: &'a str,
    /// The first two numbers of that; none for the newest.
    numbers: Option<(u32, u32)>,
}

impl<'a> Series<'a> {
    const NEWEST: Self = Self { name: "newest", numbers: None };

    fn new(name: &'a str) -> Result<Self, String> {
        let mut parts = name.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.all(|part| part.is_ok())) {
            (Some(Ok(major)), Some(Ok(minor)), true) => {
                Ok(Self { name, numbers: Some((major, minor)) })
            }
            _ => Err(format!("{WANTED} must list versions like 5.2, not {name:?}")),
        }
    }

    fn requirement(&self) -> String {
        match self.numbers {
            Some(_) => format!("django=={}.*", self.name),
            None => "django>=4.2,<7".to_owned(),
        }
    }

    /// Returns `true` if this Django runs on Python 3 with this minor version.
    fn runs_on(&self, minor: u32) -> bool {
        match self.numbers {
            Some((4, _)) => (8..=12).contains(&minor),
            Some((5, 0)) => (10..=12).contains(&minor),
            Some((5, 1)) => (10..=13).contains(&minor),
            Some((5, _)) => (10..=14).contains(&minor),
            Some((6.., _)) => minor >= 12,
            _ => minor >= 8,
        }
    }

    fn environment(&self) -> Result<Django, String> {
        let title = self.name;
        let pythons = interpreters();
        let Some(python) = pythons.iter().find(|python| self.runs_on(python.minor)) else {
            let seen: Vec<String> = pythons.iter().map(Interpreter::to_string).collect();
            return Err(if seen.is_empty() {
                "no Python 3 with pip (its modules venv and ensurepip) was found".to_owned()
            } else {
                let seen = seen.join(", ");
                format!("Django {title} runs on none of the Pythons that were found ({seen})")
            });
        };
        let folder = tmp()?.join("django");
        let home = folder.join(format!("{title}-python3.{}", python.minor));
        if let Some(django) = imported(&home, self) {
            return Ok(django);
        }
        make(&folder, &home, python, self).map_err(|reason| {
            format!("Django {title} could not be installed on {python}: {reason}")
        })?;
        imported(&home, self).ok_or_else(|| {
            format!("Django {title} was installed on {python} but cannot be imported")
        })
    }
}

/// Returns a folder with packages for a Django, installed if they were not.
///
/// `modules` are what they are imported as, with commas between them.
///
/// # Panics
///
/// With one sentence, if they cannot be installed.
pub fn packages(django: &Django, packages: &[&str], modules: &str) -> PathBuf {
    // One test at a time: the others find what it has installed.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    match find_or_install(django, packages, modules) {
        Ok(folder) => folder,
        Err(reason) => panic!(
            "{} could not be installed for Django {}: {reason}; set {WITHOUT}=1 to skip the live \
             Django tests",
            packages.join(" and "),
            django.version
        ),
    }
}

fn find_or_install(django: &Django, packages: &[&str], modules: &str) -> Result<PathBuf, String> {
    let folder = tmp()?.join("django");
    let named = modules.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let home = folder.join(format!("packages-{}-{named}", django.version));
    let program = format!("import sys; sys.path.insert(0, sys.argv[1]); import {modules}");
    let are_there = || {
        let arguments = [OsStr::new("-I"), OsStr::new("-c"), OsStr::new(&program)];
        run(&django.python, arguments.into_iter().chain([home.as_os_str()])).is_ok()
    };
    if are_there() {
        return Ok(home);
    }
    let fresh = folder.join(format!("packages-{named}.new.{}", std::process::id()));
    // Without what they need: that is Django, which is there.
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let arguments = pip.into_iter().chain(["--target"]).map(OsStr::new);
    let arguments = arguments.chain([fresh.as_os_str()]).chain(packages.iter().map(OsStr::new));
    let installed = run(&django.python, arguments);
    if installed.is_ok() {
        let _ = fs::remove_dir_all(&home);
        let _ = fs::rename(&fresh, &home);
    }
    let _ = fs::remove_dir_all(&fresh);
    installed?;
    if are_there() { Ok(home) } else { Err(format!("{modules} cannot be imported")) }
}

/// Returns a folder with Django's own tests of sessions, which are in no package that is installed.
///
/// # Panics
///
/// With one sentence, if they cannot be had.
pub fn session_tests(django: &Django) -> PathBuf {
    match find_or_fetch_tests(django) {
        Ok(folder) => folder,
        Err(reason) => panic!(
            "the tests of Django {} could not be fetched: {reason}; set {WITHOUT}=1 to skip the \
             live Django tests",
            django.version
        ),
    }
}

/// Takes the tests out of the source distribution in a folder, and removes the rest.
const UNPACK: &str = r#"
import sys, tarfile
from pathlib import Path

folder = Path(sys.argv[1])
(archive,) = folder.glob("*.tar.gz")
with tarfile.open(archive) as tar:
    for member in tar:
        _, *path = Path(member.name).parts
        if member.isfile() and path[:2] == ["tests", "sessions_tests"]:
            target = folder.joinpath(*path[1:])
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(tar.extractfile(member).read())
archive.unlink()
"#;

fn find_or_fetch_tests(django: &Django) -> Result<PathBuf, String> {
    let folder = tmp()?.join("django");
    let home = folder.join(format!("tests-{}", django.version));
    let are_there = || home.join("sessions_tests/tests.py").is_file();
    if are_there() {
        return Ok(home);
    }
    let fresh = folder.join(format!("tests-{}.new.{}", django.version, std::process::id()));
    fs::create_dir_all(&fresh).map_err(|error| format!("no folder for it: {error}"))?;
    let requirement = format!("django=={}", django.version);
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let arguments = pip.into_iter().chain(["--no-binary", "django", "--dest"]).map(OsStr::new);
    let arguments = arguments.chain([fresh.as_os_str(), OsStr::new(&requirement)]);
    let fetched = run(&django.python, arguments).and_then(|_| {
        let unpack = [OsStr::new("-c"), OsStr::new(UNPACK), fresh.as_os_str()];
        run(&django.python, unpack)
    });
    if fetched.is_ok() {
        // If another process was faster, its tests are as good.
        let _ = fs::rename(&fresh, &home);
    }
    let _ = fs::remove_dir_all(&fresh);
    fetched?;
    if are_there() { Ok(home) } else { Err("they are not in its sources".to_owned()) }
}

/// Returns the `tmp` folder of the target that this program is in.
///
/// Cargo names it to tests and benchmarks only, and not to what they share.
fn tmp() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| format!("no place for it: {error}"))?;
    let mut folders = program.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
    let target = folders.nth(1).ok_or("the program is not in a target of cargo's")?;
    Ok(target.join("tmp"))
}

/// A Python 3 that really runs and can make environments.
struct Interpreter {
    command: PathBuf,
    minor: u32,
}

impl std::fmt::Display for Interpreter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Python 3.{}", self.minor)
    }
}

/// Lists the Pythons of the `PATH`, then those of pyenv, whose shims may not run.
fn interpreters() -> Vec<Interpreter> {
    let names = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
    let mut commands: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| env::home_dir().map(|home| home.join(".pyenv")));
    if let Some(versions) = pyenv.and_then(|root| fs::read_dir(root.join("versions")).ok()) {
        let mut found: Vec<PathBuf> = versions
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("3."))
            .map(|entry| entry.path().join("bin/python3"))
            .collect();
        found.sort();
        commands.extend(found);
    }
    commands
        .into_iter()
        .filter_map(|command| {
            let program = "import sys, venv, ensurepip; print(sys.version_info[1])";
            let minor = run(&command, ["-c", program]).ok()?.trim().parse().ok()?;
            Some(Interpreter { command, minor })
        })
        .collect()
}

/// Returns the Django of an environment, if it is there, works and is the wanted one.
fn imported(home: &Path, series: &Series<'_>) -> Option<Django> {
    let python = python_of(home);
    let program = "import django; print(django.__version__)";
    let version = run(&python, ["-I", "-c", program]).ok()?.trim().to_owned();
    let wanted = version == series.name || version.starts_with(&format!("{}.", series.name));
    (wanted || series.numbers.is_none()).then_some(Django { version, python })
}

/// Creates an environment beside its place and moves it there: two may try at the same time.
fn make(
    folder: &Path,
    home: &Path,
    python: &Interpreter,
    series: &Series<'_>,
) -> Result<(), String> {
    let own = |what: &str| {
        let name = home.file_name().unwrap_or_default().to_string_lossy();
        folder.join(format!("{name}.{what}.{}", std::process::id()))
    };
    let (fresh, broken) = (own("new"), own("old"));
    fs::create_dir_all(folder).map_err(|error| format!("no folder for it: {error}"))?;
    let requirement = series.requirement();
    let venv = ["-m", "venv", "--clear"].map(OsStr::new);
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &requirement];
    let installed = run(&python.command, venv.into_iter().chain([fresh.as_os_str()]))
        .map_err(|reason| format!("python3 -m venv failed: {reason}"))
        .and_then(|_| {
            run(&python_of(&fresh), install)
                .map_err(|reason| format!("pip install {requirement:?} failed: {reason}"))
        });
    if installed.is_ok() && fs::rename(&fresh, home).is_err() {
        // What stands there is broken, or was finished by another process just now.
        if imported(home, series).is_none() {
            let _ = fs::rename(home, &broken);
            let _ = fs::rename(&fresh, home);
            let _ = fs::remove_dir_all(&broken);
        }
    }
    let _ = fs::remove_dir_all(&fresh);
    installed.map(drop)
}

fn python_of(home: &Path) -> PathBuf {
    home.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Runs a program and returns what it prints, or the last line of what it complains about.
fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = [stderr, stdout].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let last = said
        .iter()
        .flat_map(|text| text.lines().rev())
        .map(str::trim)
        .find(|line| !line.is_empty());
    Err(last.map_or_else(|| status.to_string(), str::to_owned))
}
