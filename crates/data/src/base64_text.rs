//! Base64 with the standard alphabet and padding, as `java.util.Base64` writes it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the base64 of bytes.
pub fn push_base64(out: &mut String, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    each(bytes, |letter| out.push(char::from(letter)));
}

/// As [`push_base64`], to bytes.
pub fn push_base64_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    each(bytes, |letter| out.push(letter));
}

fn each(bytes: &[u8], mut put: impl FnMut(u8)) {
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for index in 0..3 {
            word = word << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            if index > chunk.len() {
                put(b'=');
            } else {
                let at = (word >> (18 - 6 * index)) & 63;
                put(ALPHABET.get(at as usize).copied().unwrap_or(b'='));
            }
        }
    }
}
