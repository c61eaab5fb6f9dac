//! Holds the page below the program's help, and answers a usage that asks for help or is wrong.

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

Exit status: 0 good, 1 refused, 3 genuine but expired, 2 usage, files or keys.
signed-session help COMMAND tells of a command, signed-session --help the rest.";

/// The text below the program's own help.
pub(crate) const PAGE: &str = "\
Keys:
  Never in an argument, which every user of the machine can see. --key-file
  PATH, given more than once, names the files: the first signs, the others
  hold retired secrets that are still accepted. Of each file a byte order
  mark and one line end (LF, CR LF or CR) are dropped; all else is the
  secret, newlines, commas and any bytes included. Without --key-file the
  environment is read, in the same way:

  SIGNED_SESSION_KEY            the secret
  SIGNED_SESSION_FALLBACK_KEYS  retired secrets, one per line (a secret that
                                holds a newline needs a file)

Salts:
  A token is good for one purpose, its salt. --salt takes one of these
  names, or any other text; text:session is the text `session`.

  session     sessions in a cookie (signed_cookies); expire after two weeks
  db-session  session_data of the database, cache and file backends
  dumps       signing.dumps: any JSON
  messages    the cookie of django.contrib.messages

Exit status:
  0    every token is good, or the work is done
  1    a token was refused
  2    usage, a file or a key is wrong, or there was no token at all
  3    every token that was refused is genuine and merely expired
  130  Ctrl-C, after a whole line
  141  nobody read the output to its end

Examples:
  signed-session keygen --out site.key
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --format jsonl --summary < tokens.txt
  signed-session explain --key-file site.key -- \"$TOKEN\"

Notes:
  Write -- before a token that comes from others: it may look like an option.
  Messages are lines on standard error: error, hint, warning, note.";

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

/// Prints the requested help or version, or says what is wrong with the usage.
///
/// `program` knows the commands, and `words` are the command line.
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
            return Err(Failure::new("there is no command").hint("try signed-session --help"));
        }
        _ => {}
    }
    // The message itself comes first, then possibly tips, and the usage.
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
        Some(suggestion) => format!("perhaps {suggestion}; {help} says more"),
        None => format!("try {help}"),
    };
    Err(Failure::new(message).hint(hint))
}

/// Returns the likely intended name.
fn suggestion(
    error: &clap::Error,
    command: Option<&clap::Command>,
    words: &[OsString],
) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        // The most similar comes last.
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
            // An argument that begins with a dash may be meant as the token.
            meant.or_else(|| {
                let is_token = |other: &&str| {
                    other.len() > 40 && other.contains(':') && other.starts_with(word)
                };
                let token = words.iter().filter_map(|word| word.to_str()).find(is_token);
                token.filter(|_| command.is_some_and(has_positional))?;
                Some("-- before the token".to_owned())
            })
        }
        ErrorKind::InvalidValue => {
            text(ContextKind::SuggestedValue).map(|meant| format!("{meant} is meant"))
        }
        _ => None,
    }
}

fn has_positional(command: &clap::Command) -> bool {
    command.get_positionals().next().is_some()
}
