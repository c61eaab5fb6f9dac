//! Finds the token among the fields of a urlencoded form.

/// The name of the field, as in Django.
pub(crate) const FIELD: &str = "csrfmiddlewaretoken";

/// Returns the value of the token's field, if it is present and not empty.
///
/// If there are several, the last one counts, as in Django.
pub(crate) fn token(body: &[u8]) -> Option<Vec<u8>> {
    let pairs = body.split(|byte| *byte == b'&').rev();
    let mut values = pairs.filter_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default();
        (decode(name) == FIELD.as_bytes()).then(|| decode(parts.next().unwrap_or_default()))
    });
    values.next().filter(|value| !value.is_empty())
}

/// Decodes the escapes of a urlencoded form. Other text is unchanged.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match hexadecimal(*high).zip(hexadecimal(*low)) {
                Some((high, low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                None => decoded.push(b'%'),
            },
            (byte, _) => decoded.push(*byte),
        }
    }
    decoded
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
