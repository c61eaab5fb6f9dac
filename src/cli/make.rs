//! Runs `encode`, `sign` and `keygen`: what was given, made into a token or a secret and printed.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;
use signed_session::{Compress, EncodeError, SessionCodec, Signer};
use zeroize::Zeroizing;

use crate::cli::args::{Encode, Sign};
use crate::cli::failure::Failure;
use crate::cli::json;
use crate::cli::keys::Keys;
use crate::cli::pipe::{print, text};
use crate::cli::verify::{default_text_salt, is_object, undated_salt};

/// The longest text on standard input, in bytes.
const MAX_INPUT_LEN: usize = 64 * 1024 * 1024;

/// As many random bytes as `secrets.token_urlsafe(50)`.
const SECRET_LEN: usize = 50;

pub(crate) fn encode(args: Encode) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let salt = args.purpose.salt;
    let is_object = is_object(&salt, args.purpose.object)?;
    let text = input(args.json)?;
    let json: &RawValue = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(format_args!("the input is not JSON, from line {line}, column {column}"))
    })?;
    let json = RawValue::from_string(json::compact(json.get())).map_err(Failure::new)?;
    let compress = if args.no_compress { Compress::Never } else { Compress::IfShorter };
    let now = args.clock.clock().now();
    let token = if is_object {
        let signer = salt.signer(&keys.ring).max_payload_len(args.limits.max_payload_len);
        signer.sign_object_at(&json, compress, now).and_then(|token| {
            let (len, limit) = (token.len(), args.limits.max_token_len);
            if len > limit {
                Err(EncodeError::TooLarge { len, limit, entries: Vec::new() })
            } else {
                Ok(token)
            }
        })
    } else {
        SessionCodec::new(&keys.ring)
            .salt(salt.as_str())
            .compress(compress)
            .max_token_len(args.limits.max_token_len)
            .max_payload_len(args.limits.max_payload_len)
            .encode_as_at(&json, now)
    };
    print(&token.map_err(Failure::new)?)
}

pub(crate) fn sign(args: Sign) -> Result<ExitCode, Failure> {
    let keys = Keys::read(&args.keys)?;
    let text = input(args.text)?;
    let salt = args.text_purpose.salt;
    let token = if args.text_purpose.no_timestamp {
        Signer::new(&keys.ring, undated_salt(salt.as_ref())?).sign(&text)
    } else {
        let now = args.clock.clock().now();
        salt.unwrap_or_else(default_text_salt).signer(&keys.ring).sign_at(&text, now)
    };
    print(&token)
}

pub(crate) fn keygen() -> Result<ExitCode, Failure> {
    let mut bytes = Zeroizing::new([0; SECRET_LEN]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        Failure::new(format_args!("the system's random source cannot be read: {error}"))
    })?;
    print(&Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

fn input(argument: Option<String>) -> Result<String, Failure> {
    let bytes = text(argument, MAX_INPUT_LEN)?;
    if bytes.len() > MAX_INPUT_LEN {
        return Err(Failure::new(format_args!("the input has more than {MAX_INPUT_LEN} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new("the input is not UTF-8"))
}
