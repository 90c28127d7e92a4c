//! `embed_migrations!` embeds the migrations: a new one must cause a build.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
