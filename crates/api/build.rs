//! Compresses the static files that the server embeds, so that no request pays for it.

use std::fmt::Write as _;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// The files of Swagger UI that `/docs` loads; source maps and other builds stay out.
const SWAGGER_UI: [&str; 9] = [
    "favicon-16x16.png",
    "favicon-32x32.png",
    "index.css",
    "index.html",
    "oauth2-redirect.html",
    "oauth2-redirect.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];
/// Our own files, by the path they are served at.
const OWN: [(&str, &str); 6] = [
    ("/docs/swagger-initializer.js", "src/http/docs/swagger-initializer.js"),
    ("/account/common.js", "src/http/account/common.js"),
    ("/account/page.css", "src/http/account/page.css"),
    ("/account/page.js", "src/http/account/page.js"),
    ("/account/setup.js", "src/http/account/setup.js"),
    ("/account/sign-in.js", "src/http/account/sign-in.js"),
];
/// The highest quality of Brotli, and its largest window.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_BITS: u32 = 22;
const BUFFER_BYTES: usize = 64 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `denizen new` embeds the folder: a new file in it must cause a build.
    println!("cargo::rerun-if-changed=scaffold");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut table = String::from("[\n");
    for (path, source) in OWN {
        println!("cargo::rerun-if-changed={source}");
        embed(&mut table, &folder, path, &fs::read(source).expect("the file is part of the crate"));
    }
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).expect("a ZIP archive");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("a name in UTF-8").into_owned()).collect();
    for name in SWAGGER_UI {
        let ending = format!("/dist/{name}");
        let entry = names.iter().find(|entry| entry.ends_with(&ending)).expect("a file of the distribution");
        let mut bytes = Vec::new();
        archive.by_name(entry).expect("a file").read_to_end(&mut bytes).expect("a file that can be read");
        if name == "index.html" {
            bytes = for_phones(&bytes);
        }
        embed(&mut table, &folder, &format!("/docs/{name}"), &bytes);
    }
    table.push(']');
    fs::write(folder.join("assets.rs"), table).expect("OUT_DIR can be written");
}

/// The page of Swagger UI, laid out for the width of the screen, and with a title of ours.
fn for_phones(page: &[u8]) -> Vec<u8> {
    const CHARSET: &str = "<meta charset=\"UTF-8\">";
    const TITLE: &str = "<title>Swagger UI</title>";
    let page = std::str::from_utf8(page).expect("a page in UTF-8");
    assert!(page.contains(CHARSET) && page.contains(TITLE), "the page of Swagger UI has changed");
    let viewport = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
    let page = page.replace(CHARSET, &format!("{CHARSET}\n    {viewport}"));
    page.replace(TITLE, "<title>API documentation – Denizen</title>").into_bytes()
}

/// Writes a file with its compressed forms, and its row of the table.
fn embed(table: &mut String, folder: &Path, path: &str, bytes: &[u8]) {
    let name = path.trim_start_matches('/').replace('/', "_");
    let is_compressed_already = Path::new(path).extension().is_some_and(|extension| extension == "png");
    let write = |suffix: &str, bytes: &[u8]| {
        let file = folder.join(format!("{name}{suffix}"));
        fs::write(&file, bytes).expect("OUT_DIR can be written");
        format!("include_bytes!({:?})", file.display().to_string())
    };
    let identity = write("", bytes);
    let (gzip, brotli) = if is_compressed_already {
        ("None".to_owned(), "None".to_owned())
    } else {
        (format!("Some({})", write(".gz", &gzip(bytes))), format!("Some({})", write(".br", &brotli(bytes))))
    };
    let content_type = content_type(path);
    let mut crc = Crc::new();
    crc.update(bytes);
    let version = format!("{:08x}{:x}", crc.sum(), bytes.len());
    writeln!(
        table,
        "Asset {{ path: {path:?}, content_type: {content_type:?}, version: {version:?}, identity: {identity}, \
         gzip: {gzip}, brotli: {brotli} }},"
    )
    .expect("a string can be written");
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        _ => unreachable!("every file has one of these extensions"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory can be written")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    brotli::CompressorReader::new(bytes, BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW_BITS)
        .read_to_end(&mut compressed)
        .expect("memory can be read");
    compressed
}
