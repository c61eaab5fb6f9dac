//! Holds the core to the packages in `dependencies.txt`: no other comes unnoticed.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

/// The packages beneath the library, as it is built for Linux with these features.
///
/// One in two versions is there twice.
fn packages(features: &str) -> Vec<String> {
    let output = Command::new(env::var_os("CARGO").expect("cargo runs the tests"))
        .args(["tree", "--locked", "--package", "signed-session", "--edges", "normal"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--features", features])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("the tree is text");
    // `name v1.2.3`, and sometimes more in brackets.
    let versions: BTreeSet<(&str, &str)> =
        text.lines().filter_map(|line| line.split_once(' ')).collect();
    let names = versions.into_iter().map(|(name, _)| name.to_owned());
    names.filter(|name| name != "signed-session").collect()
}

#[test]
fn the_core_is_built_on_thirty_packages_and_these() {
    let listed: Vec<&str> = include_str!("dependencies.txt").lines().collect();
    assert_eq!(packages(""), listed);
    assert_eq!(listed.len(), 30);
}

#[test]
fn the_framework_s_packages_come_with_its_feature_alone() {
    for (feature, own) in [("tower", "tower-layer"), ("axum", "axum-core"), ("actix", "actix-web")]
    {
        assert!(packages(feature).iter().any(|name| name == own), "{feature}");
        assert!(!packages("").iter().any(|name| name == own), "{feature}");
    }
}
