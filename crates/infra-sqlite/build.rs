//! A new migration must recompile the crate that embeds it, and a changed query the crate that checks it.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=queries");
    println!("cargo::rerun-if-changed=../store-shared/queries");
}
