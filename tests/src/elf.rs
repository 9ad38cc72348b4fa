//! What a program sees of a shared library: names, versions, needs.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::elf::{ElfFile, FileHeader, Sym};

/// The dynamic tables of an ELF file.
#[derive(Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_NEEDED, in order.
    pub needed: Vec<String>,
    /// Each defined name: `name@@VERSION kind`, `name kind` where it has no version.
    pub exports: BTreeSet<String>,
}

/// Reads them.
///
/// # Errors
///
/// Where the file is not what it should be.
pub fn dynamic(file: &Path) -> Result<Dynamic, Box<dyn Error + Send + Sync>> {
    let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    // EI_CLASS.
    match bytes.get(4) {
        Some(1) => read::<elf::FileHeader32<Endianness>>(&bytes),
        _ => read::<elf::FileHeader64<Endianness>>(&bytes),
    }
}

fn read<Header>(bytes: &[u8]) -> Result<Dynamic, Box<dyn Error + Send + Sync>>
where
    Header: FileHeader<Endian = Endianness>,
{
    let file = ElfFile::<Header>::parse(bytes)?;
    let table = file.elf_dynamic_table()?;
    let strings = |tag| {
        let entries = table.iter().filter(move |entry| entry.tag == tag);
        entries.map(|entry| Ok(text(table.string(entry)?))).collect::<object::Result<Vec<_>>>()
    };
    Ok(Dynamic {
        soname: strings(elf::DT_SONAME)?.pop(),
        needed: strings(elf::DT_NEEDED)?,
        exports: exports(&file)?,
    })
}

fn exports<Header>(
    file: &ElfFile<'_, Header>,
) -> Result<BTreeSet<String>, Box<dyn Error + Send + Sync>>
where
    Header: FileHeader<Endian = Endianness>,
{
    let endian = file.endian();
    let symbols = file.elf_dynamic_symbol_table();
    let versions = file.elf_section_table().versions(endian, file.data())?.unwrap_or_default();
    let mut exports = BTreeSet::new();
    for (index, symbol) in symbols.enumerate() {
        let section = symbol.st_shndx(endian);
        let local = symbol.st_bind() == elf::STB_LOCAL;
        if section == elf::SHN_UNDEF || local {
            continue;
        }
        let version = versions.version_index(endian, index);
        let version = match versions.version(version.index())? {
            Some(known) => {
                let at = if version.is_hidden() { "@" } else { "@@" };
                format!("{at}{}", text(known.name()))
            }
            None => String::new(),
        };
        let kind = match (section, symbol.st_type()) {
            // GNU ld calls a version's own symbol an object, lld gives it no type.
            (elf::SHN_ABS, elf::STT_OBJECT | elf::STT_NOTYPE) => "absolute",
            (_, elf::STT_FUNC) => "function",
            (_, elf::STT_OBJECT) => "object",
            _ => "of another kind",
        };
        let name = text(symbols.symbol_name(endian, symbol)?);
        exports.insert(format!("{name}{version} {kind}"));
    }
    Ok(exports)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
