//! JSON that no terminal minds, written while it is being found.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// Escapes what acts on terminals; JSON itself asks for that below U+0020 only.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !fragment.chars().any(login_databases::is_unfit) {
            return CompactFormatter.write_string_fragment(to, fragment);
        }
        for character in fragment.chars() {
            let mut units = [0; 2];
            if login_databases::is_unfit(character) {
                for unit in character.encode_utf16(&mut units) {
                    write!(to, "\\u{unit:04x}")?;
                }
            } else {
                write!(to, "{character}")?;
            }
        }
        Ok(())
    }
}

/// Writes a value.
pub fn write(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(to, Harmless)).map_err(io::Error::from)
}

/// Writes `{"format":1`, and whatever fields follow, to which `close` sets an end.
pub struct Object;

impl Object {
    /// Begins the object.
    pub fn open(to: &mut impl Write) -> io::Result<Object> {
        to.write_all(b"{\"format\":1")?;
        Ok(Object)
    }

    /// A field.
    pub fn field(
        &mut self,
        to: &mut impl Write,
        name: &str,
        value: &impl Serialize,
    ) -> io::Result<()> {
        write!(to, ",\"{name}\":")?;
        write(to, value)
    }

    /// A field that is a list, whose values follow one by one.
    pub fn list(&mut self, to: &mut impl Write, name: &str) -> io::Result<List> {
        write!(to, ",\"{name}\":[")?;
        Ok(List { empty: true })
    }

    /// Ends the object.
    pub fn close(self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(b"}\n")
    }
}

/// A list that has begun.
pub struct List {
    empty: bool,
}

impl List {
    /// Its next value, on a line of its own.
    pub fn value(&mut self, to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
        to.write_all(if self.empty { b"\n" } else { b",\n" })?;
        self.empty = false;
        write(to, value)
    }

    /// Ends it.
    pub fn close(self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(b"]")
    }
}

/// Whose session: the fields with which every object about one begins.
#[derive(Serialize)]
pub struct Who {
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<String>,
    line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_hex: Option<String>,
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_hex: Option<String>,
    pid: Option<i32>,
}

impl Who {
    /// Of a session's fields.
    pub fn new(user: &[u8], line: &[u8], host: &[u8], pid: Option<i32>) -> Who {
        Who {
            user: text(user),
            user_hex: hex(user),
            line: text(line),
            line_hex: hex(line),
            host: text(host),
            host_hex: hex(host),
            pid,
        }
    }
}

/// Paths, as texts.
pub fn paths(paths: &[std::path::PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The text of a field, U+FFFD for what is no UTF-8; `null` if there is none.
pub fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// All the bytes in hexadecimal, where the text does not have them.
pub fn hex(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes)
        .is_err()
        .then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_terminals_is_escaped_and_comes_back() {
        let every: String = ('\0'..='\u{ffff}').chain(['\u{e0001}', '\u{1f600}']).collect();
        let mut written = Vec::new();
        write(&mut written, &every).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert!(!written.chars().any(login_databases::is_unfit));
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), every);
    }

    #[test]
    fn an_object_with_a_list() {
        let mut to = Vec::new();
        let mut object = Object::open(&mut to).unwrap();
        object.field(&mut to, "a", &1).unwrap();
        let mut list = object.list(&mut to, "b").unwrap();
        list.value(&mut to, &"x").unwrap();
        list.value(&mut to, &"y").unwrap();
        list.close(&mut to).unwrap();
        object.close(&mut to).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&to).unwrap();
        assert_eq!(value, serde_json::json!({"format": 1, "a": 1, "b": ["x", "y"]}));
    }
}
