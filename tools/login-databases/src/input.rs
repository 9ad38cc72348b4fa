//! A file to read records from, wherever in it they stand.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// gzip, RFC 1952.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Packing {
    fn of(magic: &[u8]) -> Option<Packing> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Packing::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstd),
            _ => None,
        }
    }
}

/// A file of records, packed or not.
///
/// What is packed, or comes through a pipe, is first unpacked into a file without a name in
/// the directory for temporary files, so that it can be read backwards with little memory.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    file: File,
    size: u64,
    packing: Option<Packing>,
}

/// What more than this is packed in is no history of logins (20 million records).
const MOST: u64 = 8 << 30;

impl Input {
    /// Opens a file, and unpacks it if it is packed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] as open(2) gives them, and for what is neither file nor pipe;
    /// [`Error::Packed`].
    pub fn open(path: impl AsRef<Path>) -> Result<Input, Error> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io(path))?;
        let metadata = file.metadata().map_err(Error::io(path))?;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return Input::unpacked(path, &mut BufReader::new(file));
        }
        if kind.is_dir() {
            return Err(Error::Io(path.to_owned(), io::ErrorKind::IsADirectory.into()));
        }
        if !kind.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a file");
            return Err(Error::Io(path.to_owned(), error));
        }
        let mut magic = [0; 6];
        let read = read_at(&file, &mut magic, 0).map_err(Error::io(path))?;
        if Packing::of(&magic[..read]).is_some() {
            return Input::unpacked(path, &mut file);
        }
        Ok(Input { path: path.to_owned(), file, size: metadata.len(), packing: None })
    }

    fn unpacked(path: &Path, from: &mut dyn Read) -> Result<Input, Error> {
        let mut magic = Vec::new();
        from.take(6).read_to_end(&mut magic).map_err(Error::io(path))?;
        let packing = Packing::of(&magic);
        let file = tempfile::tempfile().map_err(Error::io(&std::env::temp_dir()))?;
        let whole = BufReader::with_capacity(1 << 16, io::Cursor::new(magic).chain(from));
        let failed = |error: io::Error| Error::Packed(path.to_owned(), error.to_string());
        let size = match packing {
            None => spool(whole, &file).map_err(Error::io(path))?,
            Some(Packing::Gzip) => {
                spool(flate2::bufread::MultiGzDecoder::new(whole), &file).map_err(failed)?
            }
            Some(Packing::Xz) => {
                spool(lzma_rust2::XzReader::new(whole, true), &file).map_err(failed)?
            }
            Some(Packing::Zstd) => unzstd(whole, &file).map_err(failed)?,
        };
        Ok(Input { path: path.to_owned(), file, size, packing })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes, unpacked.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How it is packed, if it is.
    pub fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// Whether it is a database of SQLite, as wtmpdb's are, and no file of records.
    pub fn is_sqlite(&self) -> bool {
        let mut magic = [0; 16];
        self.size >= 16
            && self.read_exact_at(&mut magic, 0).is_ok()
            && magic == *b"SQLite format 3\0"
    }

    /// Fills `buffer` from `offset` on.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        self.file.read_exact_at(buffer, offset).map_err(Error::io(&self.path))
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Copies everything, up to [`MOST`].
fn spool(from: impl Read, mut to: &File) -> io::Result<u64> {
    let size = io::copy(&mut from.take(MOST + 1), &mut to)?;
    to.flush()?;
    if size > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 8 GiB"));
    }
    Ok(size)
}

/// One frame after the other: the decoder ends with the first.
fn unzstd(mut from: impl io::BufRead, to: &File) -> io::Result<u64> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut size = 0;
    while !from.fill_buf()?.is_empty() {
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(&mut from)
            .map_err(|error| invalid(error.to_string()))?;
        size += spool(&mut decoder, to)?;
        let expected = decoder.decoder.get_checksum_from_data();
        if expected.is_some() && expected != decoder.decoder.get_calculated_checksum() {
            return Err(invalid("the checksum is wrong".into()));
        }
        if size > MOST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 8 GiB"));
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn packed_by(program: &str, bytes: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}, which this test needs: {error}"));
        let mut stdin = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let thread = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
        let output = child.wait_with_output().unwrap();
        thread.join().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    fn contents(bytes: &[u8]) -> Result<(Option<Packing>, Vec<u8>), Error> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let input = Input::open(file.path())?;
        let mut found = vec![0; input.size() as usize];
        input.read_exact_at(&mut found, 0)?;
        Ok((input.packing(), found))
    }

    #[test]
    fn packed_files_are_unpacked_in_one_part_and_in_two() {
        let bytes: Vec<u8> = (0u32..500_000).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let (first, second) = bytes.split_at(bytes.len() / 3);
        for (program, packing) in
            [("gzip", Packing::Gzip), ("xz", Packing::Xz), ("zstd", Packing::Zstd)]
        {
            let whole = packed_by(program, &bytes);
            assert_eq!(contents(&whole).unwrap(), (Some(packing), bytes.clone()), "{program}");
            let parts = [packed_by(program, first), packed_by(program, second)].concat();
            assert_eq!(contents(&parts).unwrap(), (Some(packing), bytes.clone()), "{program}");
            // Cut off, and damaged.
            assert!(matches!(contents(&whole[..whole.len() / 2]), Err(Error::Packed(..))));
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle..middle + 8].fill(0x55);
            assert!(matches!(contents(&damaged), Err(Error::Packed(..))), "{program}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for path in ["/", "/dev/null", "/nonexistent", "/dev/null/x"] {
            assert!(matches!(Input::open(path), Err(Error::Io(..))), "{path}");
        }
    }
}
