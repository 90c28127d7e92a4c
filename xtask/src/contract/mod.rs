//! The gRPC contract in `proto/`: its style, and what a client that was built before can rely on.
//!
//! `lint` (the style of Buf, and the AIPs we follow) · `wire` (what must not change). The descriptor set that is
//! committed is what clients were built from; it is only replaced by one that they can go on with.

mod lint;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use prost::Message;
use prost_types::FileDescriptorSet;

/// The committed descriptor set, for `grpcurl -protoset` and the like.
const COMMITTED: &str = "proto/denizen.v1.binpb";
/// The folder that imports are resolved in.
const ROOT: &str = "proto";
/// The one package.
const PACKAGE: &str = "denizen.v1";

/// Writes the descriptor set anew, unless that would break the clients there are.
pub(crate) fn generate(root: &Path) -> anyhow::Result<()> {
    let fresh = checked(root)?;
    fs::write(root.join(COMMITTED), fresh).with_context(|| format!("writing {COMMITTED}"))?;
    println!("{COMMITTED}: written");
    Ok(())
}

/// Fails when the contract breaks a rule or the descriptor set is not what [`generate`] would write.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let fresh = checked(root)?;
    let committed = fs::read(root.join(COMMITTED)).unwrap_or_default();
    ensure!(committed == fresh, "{COMMITTED} is not what {ROOT}/ says: run `make generate`");
    println!("{COMMITTED}: up to date");
    Ok(())
}

/// The encoded descriptor set of the contract, which keeps its style and breaks nobody.
fn checked(root: &Path) -> anyhow::Result<Vec<u8>> {
    let (commented, plain) = compile(root)?;
    let mut faults = lint::check(&commented);
    // Nothing was promised before there was a set.
    if let Ok(before) = fs::read(root.join(COMMITTED)) {
        let before = FileDescriptorSet::decode(before.as_slice()).with_context(|| format!("reading {COMMITTED}"))?;
        faults.extend(wire::breaks(&before, &plain));
    }
    ensure!(faults.is_empty(), "the gRPC contract in {ROOT}/:\n{}", faults.join("\n"));
    Ok(plain.encode_to_vec())
}

/// The contract with its comments; and without them but with all that it imports.
fn compile(root: &Path) -> anyhow::Result<(FileDescriptorSet, FileDescriptorSet)> {
    let folder = root.join(ROOT).join(PACKAGE.replace('.', "/"));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        files.push(entry?.path());
    }
    files.sort();
    let mut compiler = protox::Compiler::new([root.join(ROOT)])?;
    compiler.include_source_info(true).open_files(&files)?;
    let commented = compiler.file_descriptor_set();
    let plain = compiler.include_source_info(false).include_imports(true).file_descriptor_set();
    Ok((commented, plain))
}

#[cfg(test)]
mod tests {
    use crate::root;

    #[test]
    fn the_contract_keeps_its_style_and_its_word_and_the_committed_set_is_current() {
        super::check(&root()).unwrap();
    }
}
