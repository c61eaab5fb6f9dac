//! What the README shows with Django is what happens with a real one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::django::environments;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The contents of the README's fenced blocks in this language.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    readme
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a closing fence").0.to_owned())
        .collect()
}

fn text(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_python_on_the_first_screen_prints_what_stands_below_it() {
    let readme = readme();
    let programs = blocks(&readme, "python");
    let outputs: String = blocks(&readme, "text").into_iter().take(programs.len()).collect();
    assert_eq!(programs.len(), 2, "one that makes a token, one that reads one");
    for django in environments() {
        let run = Command::new(&django.python).arg("-c").arg(programs.concat()).output().unwrap();
        assert_eq!(text(run), outputs, "Django {}", django.version);
    }
}

/// The example that cargo built beside this test, or built now if only this test was asked for.
fn share_with_django() -> PathBuf {
    let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let example = profile.join("examples").join("share_with_django");
    if !example.exists() {
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", "share_with_django", "--target-dir"])
            .arg(profile.parent().unwrap())
            .current_dir(root())
            .status();
        assert!(cargo.unwrap().success());
    }
    example
}

#[test]
fn a_real_login_is_changed_in_rust_and_read_again_by_django() {
    for django in environments() {
        let run = Command::new(&django.python)
            .arg(root().join("examples/share_with_django.py"))
            .arg(share_with_django())
            .output()
            .unwrap();
        let shown = text(run);
        let expected = [
            format!("Django {}: ada has logged in", django.version),
            "  Cookie: sessionid=".to_owned(),
            "  user 1 is logged in".to_owned(),
            "    _auth_user_backend = \"django.contrib.auth.backends.ModelBackend\"".to_owned(),
            "    cart = [\"apples\",\"pears\"]".to_owned(),
            "  Set-Cookie: sessionid=".to_owned(),
            "Django, given the cookie that Rust set:\n  ada is logged in\n".to_owned(),
            "  {\"cart\": [\"apples\", \"pears\"], \"visits_to_rust\": 1}".to_owned(),
            "with one character changed:\n  nobody is logged in\n  {}\n".to_owned(),
        ];
        let mut rest = shown.as_str();
        for line in &expected {
            let (_, after) =
                rest.split_once(line.as_str()).unwrap_or_else(|| panic!("{line}: {shown}"));
            rest = after;
        }
    }
}

#[test]
fn the_example_says_what_is_wrong() {
    let run = |secret: Option<&str>, arguments: &[&str]| {
        let mut command = Command::new(share_with_django());
        command.args(arguments).env_remove("DJANGO_SECRET_KEY");
        if let Some(secret) = secret {
            command.env("DJANGO_SECRET_KEY", secret);
        }
        let output = command.output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let cookie = "sessionid=e30:1r31eq:ufsjZ_M_t9TvAww8rNZsRoJJf4FfU_u8-04_Nq3JZgo";
    for (secret, arguments, message) in [
        (
            None,
            &[cookie][..],
            "error: the environment variable DJANGO_SECRET_KEY holds no secret\n",
        ),
        (Some(""), &[cookie], "error: a secret is empty or contains only white space\n"),
        (Some("secret"), &[], "error: the argument is a Cookie: header\n"),
        (Some("secret"), &["theme=dark"], "error: there is no cookie named sessionid\n"),
        (
            Some("secret"),
            &[cookie],
            "error: the signature matches no key: is DJANGO_SECRET_KEY that of the site, \
             and its backend signed_cookies?\n",
        ),
    ] {
        assert_eq!(run(secret, arguments), message);
    }
    let expired = run(Some("test-secret-key-0123456789"), &[cookie]);
    assert!(expired.starts_with("error: the token has expired"), "{expired}");
}
