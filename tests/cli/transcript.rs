//! Runs the shell sessions of a Markdown file, and compares what they print with what stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A command with what it is to print: standard output, then standard error, then `? STATUS`.
#[derive(Clone)]
struct Step {
    /// The lines, the first behind `$ ` and the others behind `> `.
    command: Vec<String>,
    expected: Vec<String>,
}

/// A part of the file.
enum Part {
    Prose(String),
    Session(Vec<Step>),
}

/// What a command printed.
pub struct Ran {
    pub command: String,
    pub out: String,
    pub err: String,
    pub status: i32,
}

impl Ran {
    fn shown(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.out.lines().chain(self.err.lines()).map(str::to_owned).collect();
        if self.status != 0 {
            lines.push(format!("? {}", self.status));
        }
        lines
    }
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        parts.push(Part::Prose(line.to_owned()));
        if line != "```console" {
            continue;
        }
        let mut steps: Vec<Step> = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { command: vec![command.to_owned()], expected: Vec::new() });
                continue;
            }
            let step = steps.last_mut().expect("a session begins with a command");
            match line.strip_prefix("> ") {
                Some(more) if step.expected.is_empty() => step.command.push(more.to_owned()),
                _ => step.expected.push(line.to_owned()),
            }
        }
        parts.push(Part::Session(steps));
        parts.push(Part::Prose("```".to_owned()));
    }
    parts
}

/// A directory of its own, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("signed-session-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The `PATH` with the program's directory first.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_signed-session"));
    let directory = program.parent().unwrap().display();
    format!("{directory}:{}", std::env::var("PATH").unwrap())
}

/// Runs all commands in one shell, in a directory that holds the files of `tests/cli/files`.
///
/// Those of the README and of the documentation make their own, as a reader would.
fn run(name: &str, steps: &[Step]) -> Vec<Ran> {
    let scratch = Scratch::new(name);
    let (here, results) = (scratch.0.join("here"), scratch.0.join("results"));
    fs::create_dir_all(&here).unwrap();
    fs::create_dir_all(&results).unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/files");
    for file in fs::read_dir(files).unwrap().filter(|_| !["README", "command-line"].contains(&name))
    {
        let file = file.unwrap();
        let copy = here.join(file.file_name());
        fs::copy(file.path(), &copy).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut script = String::new();
    for (index, step) in steps.iter().enumerate() {
        let (to, command) = (results.join(index.to_string()), step.command.join("\n"));
        let to = to.display();
        script += &format!("{{\n{command}\n}} >'{to}.out' 2>'{to}.err'; echo $? >'{to}.status'\n");
    }
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&here)
        .env("PATH", path())
        .env_remove("SIGNED_SESSION_KEY")
        .env_remove("SIGNED_SESSION_FALLBACK_KEYS")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{name}: the shell did not end well");
    let read = |index: usize, what: &str| {
        let path = results.join(format!("{index}.{what}"));
        String::from_utf8(fs::read(path).expect("every command was run")).unwrap()
    };
    let ran = |(index, step): (usize, &Step)| Ran {
        command: step.command.join("\n"),
        out: read(index, "out"),
        err: read(index, "err"),
        status: read(index, "status").trim().parse().unwrap(),
    };
    steps.iter().enumerate().map(ran).collect()
}

/// Returns `true` if a line is as expected, where `[..]` stands for anything.
fn matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

fn all_match(expected: &[String], lines: &[String]) -> bool {
    expected.len() == lines.len() && expected.iter().zip(lines).all(|(e, l)| matches(e, l))
}

/// Runs the sessions of a file, as far as `wanted` says, and says what is not as it stands there.
///
/// With `SIGNED_SESSION_TRANSCRIPTS=write` in the environment the file is written again instead.
pub fn check(file: &Path, wanted: impl Fn(&str) -> bool) -> Vec<Ran> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut parts = parse(&text);
    let is_wanted = |steps: &[Step]| steps.iter().all(|step| wanted(&step.command.join("\n")));
    let steps: Vec<Step> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Session(steps) if is_wanted(steps) => Some(steps.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(!steps.is_empty(), "{} holds no session", file.display());
    let name = file.file_stem().unwrap().to_str().unwrap();
    let ran = run(name, &steps);
    let mut faults = String::new();
    for (step, ran) in steps.iter().zip(&ran) {
        let shown = ran.shown();
        if !all_match(&step.expected, &shown) {
            faults += &format!(
                "$ {}\nexpected:\n{}\nprinted:\n{}\n\n",
                ran.command,
                step.expected.join("\n"),
                shown.join("\n")
            );
        }
    }
    if std::env::var("SIGNED_SESSION_TRANSCRIPTS").as_deref() == Ok("write") {
        let mut results = ran.iter();
        for part in &mut parts {
            if let Part::Session(steps) = part
                && is_wanted(steps)
            {
                for (step, ran) in steps.iter_mut().zip(results.by_ref()) {
                    // What is right stays, with its wildcards.
                    let mut old = std::mem::take(&mut step.expected).into_iter();
                    for line in ran.shown() {
                        let old = old.next().filter(|old| matches(old, &line));
                        step.expected.push(old.unwrap_or(line));
                    }
                }
            }
        }
        fs::write(file, write(&parts)).unwrap();
    } else {
        assert!(faults.is_empty(), "{}:\n{faults}", file.display());
    }
    ran
}

fn write(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Prose(line) => text += &format!("{line}\n"),
            Part::Session(steps) => {
                for step in steps {
                    text += &format!("$ {}\n", step.command.join("\n> "));
                    for line in &step.expected {
                        text += &format!("{line}\n");
                    }
                }
            }
        }
    }
    text
}
