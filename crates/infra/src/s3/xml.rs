//! The parts of responses that `rusty-s3` does not parse. The elements of S3 have no attributes except on the root.

use super::Unfinished;

/// The code of an error document; `None` if the body is something else.
pub(super) fn error_code(body: &str) -> Option<String> {
    let error = element(body, "Error").filter(|_| root(body) == Some("Error"))?;
    element(error, "Code").map(text)
}

/// The uploads in a `ListMultipartUploadsResult`.
pub(super) fn uploads(body: &str) -> Vec<Unfinished> {
    let mut rest = body;
    let mut found = Vec::new();
    while let Some(upload) = element(rest, "Upload") {
        let part = |name| element(upload, name).map(text);
        if let (Some(key), Some(id)) = (part("Key"), part("UploadId")) {
            found.push(Unfinished { key, id, initiated: part("Initiated").unwrap_or_default() });
        }
        let Some((_, after)) = rest.split_once("</Upload>") else { break };
        rest = after;
    }
    found
}

/// The name of the root element.
fn root(body: &str) -> Option<&str> {
    let body = body.trim_start();
    let body = if body.starts_with("<?") { body.split_once("?>")?.1 } else { body };
    let name = body.trim_start().strip_prefix('<')?;
    name.split(['>', ' ', '/', '\n']).next()
}

/// The contents of the first element of this name.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let start = body.match_indices(&format!("<{name}")).find_map(|(at, tag)| {
        let rest = &body[at + tag.len()..];
        let is_whole = rest.starts_with(['>', ' ', '\n']);
        is_whole.then(|| rest.split_once('>')).flatten().map(|(_, contents)| contents)
    })?;
    start.split_once(&format!("</{name}>")).map(|(contents, _)| contents)
}

/// Text without the predefined entities.
fn text(raw: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'")];
    let replaced = entities.iter().fold(raw.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    replaced.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::{error_code, uploads};

    #[test]
    fn errors_are_recognized_by_their_root() {
        let error = "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>No</Message></Error>";
        assert_eq!(error_code(error).as_deref(), Some("NoSuchBucket"));
        for other in ["", "<html><Error><Code>x</Code></Error></html>", "<Errors></Errors>", "<Error/>"] {
            assert_eq!(error_code(other), None, "{other}");
        }
    }

    #[test]
    fn unfinished_uploads_are_listed() {
        let listed = "<ListMultipartUploadsResult xmlns=\"x\"><UploadIdMarker></UploadIdMarker>\
                      <Upload><Key>a&amp;b</Key><UploadId>1</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>\
                      <Upload><Key>c</Key><UploadId>2</UploadId></Upload><Upload><Key>d</Key></Upload></ListMultipartUploadsResult>";
        let found: Vec<_> = uploads(listed).into_iter().map(|one| (one.key, one.id, one.initiated)).collect();
        let expected = [("a&b", "1", "2026-01-01T00:00:00.000Z"), ("c", "2", "")];
        assert_eq!(found, expected.map(|(key, id, at)| (key.to_owned(), id.to_owned(), at.to_owned())));
        assert!(uploads("").is_empty());
    }
}
