//! Contains the text below the program's help, and reports wrong usage.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::failure::Failure;
use crate::cli::stdio::print_lines;

/// The text below the short help of the program.
pub(crate) const SHORT_PAGE: &str = "\
Examples:
  signed-session keygen --out site.key
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session explain --key-file site.key -- \"$TOKEN\"

Exit status: 0 valid, 1 refused, 2 wrong usage, file or key, 3 only expired.
See signed-session help COMMAND for a command, --help for everything else.";

/// The text below the program's own help.
pub(crate) const PAGE: &str = "\
Keys:
  Keys are never passed as arguments, which every user of the machine can
  see. Pass files with --key-file PATH, which can be repeated: the first key
  signs, and all of them verify. A byte order mark and one line end (LF,
  CR LF or CR) of each file are ignored; every other byte is part of the
  secret, including commas and other newlines. Without --key-file, these
  environment variables are read, in the same way:

  SIGNED_SESSION_KEY            the secret that signs
  SIGNED_SESSION_FALLBACK_KEYS  retired secrets, one per line (a secret that
                                contains a newline needs a file)

Salts:
  A token is valid for one purpose only, which its salt identifies. --salt
  takes one of these names or any other text. To use one of the names as a
  text, prefix it: text:session.

  session     sessions in a cookie (signed_cookies); expire after two weeks
  db-session  session_data of the db, cached_db and file backends
  dumps       signing.dumps: any JSON
  messages    the cookie of django.contrib.messages

Exit status:
  0    every token is valid, or the command succeeded
  1    a token was refused
  2    wrong usage, file or key, or no token was given
  3    tokens were refused, all of them only because they have expired
  130  interrupted with Ctrl-C; the last line of the output is complete
  141  the output was closed before everything was written

Examples:
  signed-session keygen --out site.key
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --format jsonl --summary < tokens.txt
  signed-session explain --key-file site.key -- \"$TOKEN\"

Notes:
  Write -- before an untrusted token, because it may look like an option.
  Messages are printed to standard error, one per line, and begin with
  error, hint, warning or note.";

/// The names of commands in other programs.
const COMMANDS: [(&str, &str); 34] = [
    ("verify", "decode"),
    ("check", "decode"),
    ("validate", "decode"),
    ("read", "decode"),
    ("load", "decode"),
    ("loads", "decode"),
    ("unpack", "decode"),
    ("decrypt", "decode"),
    ("generate", "keygen"),
    ("generate-key", "keygen"),
    ("gen", "keygen"),
    ("genkey", "keygen"),
    ("key", "keygen"),
    ("new", "keygen"),
    ("init", "keygen"),
    ("secret", "keygen"),
    ("create", "encode"),
    ("make", "encode"),
    ("dump", "encode"),
    ("dumps", "encode"),
    ("issue", "encode"),
    ("encrypt", "encode"),
    ("token", "encode"),
    ("show", "inspect"),
    ("view", "inspect"),
    ("info", "inspect"),
    ("parse", "inspect"),
    ("debug", "explain"),
    ("diagnose", "explain"),
    ("why", "explain"),
    ("rekey", "rotate"),
    ("rotate-keys", "rotate"),
    ("auth", "login"),
    ("completion", "completions"),
];

/// The names of options in other programs.
const OPTIONS: [(&str, &str); 21] = [
    ("--key", "--key-file"),
    ("--keyfile", "--key-file"),
    ("--keys", "--key-file"),
    ("--secret", "--key-file"),
    ("--secret-key", "--key-file"),
    ("--fallback", "--key-file"),
    ("-k", "--key-file"),
    ("--age", "--max-age"),
    ("--ttl", "--max-age"),
    ("--expires", "--max-age"),
    ("--now", "--at"),
    ("--time", "--at"),
    ("--date", "--at"),
    ("--name", "--cookie-name"),
    ("--json", "--format json"),
    ("--jsonl", "--format jsonl"),
    ("--pretty", "--format pretty"),
    ("--output", "--out"),
    ("--jobs", "--threads"),
    ("--password", "--password-hash-file"),
    ("--password-file", "--password-hash-file"),
];

/// Prints the requested help or version, or returns an error about the usage.
///
/// `program` defines the commands, and `words` are the command line.
pub(crate) fn answer(
    error: &clap::Error,
    program: &clap::Command,
    words: &[OsString],
) -> Result<ExitCode, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return print_lines(error.render().to_string().as_bytes());
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(Failure::new("no command was given").hint("see signed-session --help"));
        }
        _ => {}
    }
    // The message itself comes first, possibly followed by tips, and then the usage.
    let text = error.render().to_string();
    let message = text.split("\n\n").next().unwrap_or_default();
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let command = words.get(1).and_then(|word| program.find_subcommand(word.to_str()?));
    let help = match command {
        Some(command) => format!("signed-session {} --help", command.get_name()),
        None => "signed-session --help".to_owned(),
    };
    let hint = match suggestion(error, command, words) {
        Some(suggestion) => format!("did you mean {suggestion}? See {help}"),
        None => format!("see {help}"),
    };
    Err(Failure::new(message).hint(hint))
}

/// Returns what the user probably meant.
fn suggestion(
    error: &clap::Error,
    command: Option<&clap::Command>,
    words: &[OsString],
) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        // The most similar one is the last.
        ContextValue::Strings(texts) => texts.last().map(String::as_str),
        _ => None,
    };
    let named = |names: &[(&str, &'static str)], word: &str| {
        let word = word.to_ascii_lowercase();
        names.iter().find(|(name, _)| *name == word).map(|(_, meant)| *meant)
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand)?;
            let meant = named(&COMMANDS, word).or(text(ContextKind::SuggestedSubcommand))?;
            Some(format!("signed-session {meant}"))
        }
        ErrorKind::UnknownArgument => {
            let word = text(ContextKind::InvalidArg)?.split('=').next()?;
            let takes = |option: &&str| {
                let name = option.split(' ').next().unwrap_or_default();
                let name = name.trim_start_matches('-');
                command.is_some_and(|command| {
                    command.get_arguments().any(|argument| argument.get_long() == Some(name))
                })
            };
            let meant = named(&OPTIONS, word).filter(takes);
            let meant = meant.or(text(ContextKind::SuggestedArg)).map(str::to_owned);
            // An argument that begins with a dash may be the token.
            meant.or_else(|| {
                let is_token = |other: &&str| {
                    other.len() > 40 && other.contains(':') && other.starts_with(word)
                };
                let token = words.iter().filter_map(|word| word.to_str()).find(is_token);
                token.filter(|_| command.is_some_and(has_positional))?;
                Some("to write -- before the token".to_owned())
            })
        }
        ErrorKind::InvalidValue => text(ContextKind::SuggestedValue).map(str::to_owned),
        _ => None,
    }
}

fn has_positional(command: &clap::Command) -> bool {
    command.get_positionals().next().is_some()
}
