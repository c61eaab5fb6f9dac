//! What the guide shows of an example is what stands in the example.

/// Returns a chapter's blocks of a language, without what makes them documentation.
fn blocks(chapter: &str, language: &str) -> Vec<String> {
    let lines = chapter.lines().map(|line| line.trim_start_matches("//!"));
    let text: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let text = text.join("\n");
    let start = format!("```{language}\n");
    text.split(&start)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
        .collect()
}

/// Joins what is broken into lines, in SQL or by a backslash in Rust.
fn joined(text: &str) -> String {
    text.replace('\\', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_statements_are_those_of_the_example() {
    let example = joined(include_str!("../../examples/stored_sessions/src/database.rs"));
    let chapter = include_str!("../../src/guide/sessions_in_the_database.rs");
    let blocks = blocks(chapter, "sql");
    let [block] = &blocks[..] else { panic!("one block of SQL") };
    // A statement begins where a line does, and goes on where a line is indented.
    let statements = block.replace("\n ", " ");
    assert_eq!(statements.lines().count(), 4);
    for statement in statements.lines() {
        let literal = format!("\"{}\"", joined(statement));
        assert!(example.contains(&literal), "{literal}");
    }
}

#[test]
fn the_session_engine_is_that_of_the_example() {
    let example = include_str!("../../examples/beside_django/site/cookie_sessions.py");
    let chapter = include_str!("../../src/guide/one_rule_on_both_sides.rs");
    assert!(blocks(chapter, "python").iter().any(|block| block == example));
}
