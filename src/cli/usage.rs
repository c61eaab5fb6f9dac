//! Holds the page below the program's help, and answers a usage that asks for help or is wrong.

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::failure::Failure;
use crate::cli::stdio::print_lines;

/// What stands below the program's own help.
pub(crate) const PAGE: &str = "\
Keys:
  Never in an argument, which every user of the machine can see. --key-file
  PATH, given more than once, names the files: the first signs, the others
  hold retired secrets that are still accepted. Of each file exactly one
  newline at its end (LF or CR LF) is dropped; all else is the secret,
  newlines, commas and any bytes included. Without --key-file the
  environment is read:

  SIGNED_SESSION_KEY            the secret, taken as it stands
  SIGNED_SESSION_FALLBACK_KEYS  retired secrets, one a line (a secret that
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
  (umask 077 && signed-session keygen > site.key)
  signed-session encode --key-file site.key '{\"user_id\": 42}'
  signed-session decode --key-file site.key -- \"$TOKEN\"
  signed-session decode --key-file site.key --format jsonl --summary < tokens.txt
  signed-session explain --key-file site.key -- \"$TOKEN\"

Notes:
  Write -- before a token that comes from others: it may look like an option.
  Messages are lines on standard error: error, hint, warning, note.";

/// Prints the help or the version that was asked for, or says what is wrong with the usage.
pub(crate) fn answer(error: &clap::Error) -> Result<ExitCode, Failure> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return print_lines(text.as_bytes()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Err(Failure::new("there is no command").hint("try signed-session --help"));
        }
        _ => {}
    }
    // The message proper comes first, then perhaps tips, and the usage.
    let mut parts = text.split("\n\n");
    let message = parts.next().unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let usage = parts.find_map(|part| part.trim().strip_prefix("Usage: "));
    let usage = usage.unwrap_or("signed-session");
    let command = usage.split(' ').take_while(|word| !word.starts_with(['<', '[', '-']));
    let command: Vec<&str> = command.collect();
    Err(Failure::new(message).hint(format_args!("try {} --help", command.join(" "))))
}
