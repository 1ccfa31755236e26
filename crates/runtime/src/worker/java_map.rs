//! The serialised form of a Java `HashMap<byte[], byte[]>`, as the standalone offset file holds it
//! (spec `distributed.md` 1.6.2). Reads and writes this narrow subset of the stream protocol and nothing else: no
//! class is ever looked up.

use std::collections::BTreeMap;

/// Keys and values; both may be null in Java, a null key is passed over.
pub(super) type ByteMap = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Why a file is not such a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JavaMapError {
    /// It ends too early.
    #[error("it is cut off")]
    Truncated,
    /// It is something else.
    #[error("it is not a serialised map of byte arrays (at byte {0})")]
    Unexpected(usize),
}

const MAGIC: [u8; 4] = [0xAC, 0xED, 0x00, 0x05];
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const ARRAY: u8 = 0x75;
const BLOCK: u8 = 0x77;
const END: u8 = 0x78;
const FIRST_HANDLE: u32 = 0x7E_0000;

/// `java.util.HashMap` with its two fields, down to the null super class.
const MAP_CLASS: &[u8] =
    b"\x72\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\
\x0aloadFactorI\x00\x09thresholdxp";
/// `[B`.
const BYTES_CLASS: &[u8] = b"\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00xp";

/// The stream of a map.
pub(super) fn write(map: &ByteMap) -> Vec<u8> {
    let mut capacity = 16_u32;
    while map.len() as u64 * 4 > u64::from(capacity) * 3 {
        capacity = capacity.saturating_mul(2);
    }
    let mut out = Vec::new();
    out.extend(MAGIC);
    out.push(OBJECT);
    out.extend(MAP_CLASS);
    out.extend(0.75_f32.to_be_bytes());
    out.extend((capacity / 4 * 3).to_be_bytes());
    out.extend([BLOCK, 8]);
    out.extend(capacity.to_be_bytes());
    out.extend(u32::try_from(map.len()).unwrap_or(u32::MAX).to_be_bytes());
    let mut first = true;
    for (key, value) in map {
        write_bytes(&mut out, Some(key), &mut first);
        write_bytes(&mut out, value.as_ref(), &mut first);
    }
    out.push(END);
    out
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&Vec<u8>>, first: &mut bool) {
    let Some(bytes) = bytes else {
        out.push(NULL);
        return;
    };
    out.push(ARRAY);
    if std::mem::take(first) {
        out.extend(BYTES_CLASS);
    } else {
        out.push(REFERENCE);
        // After the map's class and the map itself comes the class of byte arrays.
        out.extend((FIRST_HANDLE + 2).to_be_bytes());
    }
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

/// The map of a stream.
pub(super) fn read(stream: &[u8]) -> Result<ByteMap, JavaMapError> {
    let mut reader = Reader {
        stream,
        at: 0,
        handles: Vec::new(),
    };
    reader.expect(&MAGIC)?;
    reader.expect(&[OBJECT])?;
    reader.expect(MAP_CLASS)?;
    // The class and the map take a handle each.
    reader.handles.extend([None, None]);
    reader.take(8)?;
    reader.expect(&[BLOCK, 8])?;
    reader.take(4)?;
    let size = reader.u32()?;
    let mut map = ByteMap::new();
    for _ in 0..size {
        let key = reader.bytes()?;
        let value = reader.bytes()?;
        if let Some(key) = key {
            map.insert(key, value);
        }
    }
    reader.expect(&[END])?;
    Ok(map)
}

struct Reader<'a> {
    stream: &'a [u8],
    at: usize,
    /// What back references can name: byte arrays; classes and the map itself stand as nothing.
    handles: Vec<Option<Vec<u8>>>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], JavaMapError> {
        let end = self.at.checked_add(count).ok_or(JavaMapError::Truncated)?;
        let taken = self
            .stream
            .get(self.at..end)
            .ok_or(JavaMapError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), JavaMapError> {
        let at = self.at;
        match self.take(wanted.len())? == wanted {
            true => Ok(()),
            false => Err(JavaMapError::Unexpected(at)),
        }
    }

    fn byte(&mut self) -> Result<u8, JavaMapError> {
        self.take(1)?
            .first()
            .copied()
            .ok_or(JavaMapError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, JavaMapError> {
        let bytes = self.take(4)?.try_into();
        Ok(u32::from_be_bytes(
            bytes.map_err(|_| JavaMapError::Truncated)?,
        ))
    }

    fn bytes(&mut self) -> Result<Option<Vec<u8>>, JavaMapError> {
        let at = self.at;
        match self.byte()? {
            NULL => Ok(None),
            REFERENCE => {
                let handle = self.u32()?.checked_sub(FIRST_HANDLE);
                let known = handle.and_then(|handle| self.handles.get(handle as usize));
                match known {
                    Some(Some(bytes)) => Ok(Some(bytes.clone())),
                    _ => Err(JavaMapError::Unexpected(at)),
                }
            }
            ARRAY => {
                match self.stream.get(self.at) {
                    Some(&CLASS) => {
                        self.expect(BYTES_CLASS)?;
                        self.handles.push(None);
                    }
                    _ => {
                        self.expect(&[REFERENCE])?;
                        self.expect(&(FIRST_HANDLE + 2).to_be_bytes())?;
                    }
                }
                let length = self.u32()?;
                let bytes = self.take(length as usize)?.to_vec();
                self.handles.push(Some(bytes.clone()));
                Ok(Some(bytes))
            }
            _ => Err(JavaMapError::Unexpected(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_back() {
        let mut map = ByteMap::new();
        assert_eq!(read(&write(&map)), Ok(ByteMap::new()));
        map.insert(b"k".to_vec(), Some(b"v".to_vec()));
        map.insert(b"gone".to_vec(), None);
        for n in 0..40_u8 {
            map.insert(vec![n], Some(vec![n; 3]));
        }
        assert_eq!(read(&write(&map)), Ok(map));
    }

    /// Written by `java.io.ObjectOutputStream` of JDK 17 for a map of one entry.
    #[test]
    fn one_entry_has_the_bytes_that_java_writes() {
        let map = ByteMap::from([(b"a".to_vec(), Some(b"b".to_vec()))]);
        let java = "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f61644661\
                    63746f724900097468726573686f6c6478703f4000000000000c77080000001000000001757200025b42acf317\
                    f8060854e002000078700000000161757100\
                    7e00020000000162\
                    78";
        let hex: String = write(&map).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, java.replace(char::is_whitespace, ""));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused() {
        let map = ByteMap::from([(b"a".to_vec(), Some(b"b".to_vec()))]);
        let whole = write(&map);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(read(b"{\"a\":1}"), Err(JavaMapError::Unexpected(0)));
    }
}
