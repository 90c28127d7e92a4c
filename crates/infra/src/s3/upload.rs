//! An upload in parts: what is written is sent while the next part is collected. At most three parts are in memory.

use std::io::{self, Write};

use bytes::Bytes;
use rusty_s3::actions::CreateMultipartUpload;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{S3, S3Error};

/// The size of a part, in bytes. It grows with the number of parts, of which there may be 10,000: an object can have
/// 429 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
const PARTS_OF_ONE_SIZE: usize = 1_000;

enum Part {
    More(Bytes),
    Last(Bytes),
}

/// Writes an object. Blocks while the previous part waits to be sent: use it outside asynchronous code.
pub struct ObjectWriter {
    buffer: Vec<u8>,
    sent: usize,
    parts: mpsc::Sender<Part>,
}

/// The end of an upload.
pub struct Upload(JoinHandle<Result<(), S3Error>>);

pub(super) fn start(storage: S3, key: String) -> (ObjectWriter, Upload) {
    let (parts, received) = mpsc::channel(1);
    let task = tokio::spawn(async move { receive(&storage, &key, received).await });
    (ObjectWriter { buffer: Vec::new(), sent: 0, parts }, Upload(task))
}

impl ObjectWriter {
    /// Sends the last part.
    ///
    /// # Errors
    /// If the upload failed: [`Upload::complete`] returns the reason.
    pub fn finish(self) -> io::Result<()> {
        self.parts.blocking_send(Part::Last(self.buffer.into())).map_err(|_| ended())
    }

    fn part_bytes(&self) -> usize {
        PART_BYTES * (1 + self.sent / PARTS_OF_ONE_SIZE)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(written);
        if self.buffer.len() >= self.part_bytes() {
            let part = std::mem::take(&mut self.buffer);
            self.parts.blocking_send(Part::More(part.into())).map_err(|_| ended())?;
            self.sent += 1;
        }
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the upload failed")
}

impl Upload {
    /// Waits until the object is complete.
    ///
    /// # Errors
    /// If the storage refuses the upload or does not answer, or the writer was dropped: there is no object.
    pub async fn complete(self) -> Result<(), S3Error> {
        self.0.await.unwrap_or(Err(S3Error::Canceled))
    }
}

async fn receive(storage: &S3, key: &str, mut parts: mpsc::Receiver<Part>) -> Result<(), S3Error> {
    let action = storage.bucket.create_multipart_upload(Some(&storage.credentials), key);
    let created = storage.send(&action, Bytes::new()).await?;
    let created = CreateMultipartUpload::parse_response(&created.body).map_err(|_| S3Error::Response)?;
    let id = created.upload_id();
    let uploaded = match send_parts(storage, key, id, &mut parts).await {
        Ok(etags) => complete(storage, key, id, &etags).await,
        Err(error) => Err(error),
    };
    if uploaded.is_err() {
        // If this fails too, the next backup aborts it.
        drop(storage.abort(key, id).await);
    }
    uploaded
}

/// Sends the parts, and returns their tags.
async fn send_parts(
    storage: &S3,
    key: &str,
    id: &str,
    parts: &mut mpsc::Receiver<Part>,
) -> Result<Vec<String>, S3Error> {
    let mut etags = Vec::new();
    loop {
        let (body, is_last) = match parts.recv().await.ok_or(S3Error::Canceled)? {
            Part::More(body) => (body, false),
            Part::Last(body) => (body, true),
        };
        let number = u16::try_from(etags.len() + 1).map_err(|_| S3Error::Response)?;
        let action = storage.bucket.upload_part(Some(&storage.credentials), key, number, id);
        etags.push(storage.send(&action, body).await?.etag.ok_or(S3Error::Response)?);
        if is_last {
            return Ok(etags);
        }
    }
}

async fn complete(storage: &S3, key: &str, id: &str, etags: &[String]) -> Result<(), S3Error> {
    let etags = || etags.iter().map(String::as_str);
    let action = storage.bucket.complete_multipart_upload(Some(&storage.credentials), key, id, etags());
    let body = storage.bucket.complete_multipart_upload(Some(&storage.credentials), key, id, etags()).body();
    match storage.send(&action, body.into()).await {
        // The response to an earlier attempt was lost.
        Err(error) if error.is_code("NoSuchUpload") => {
            let is_there = storage.list(key).await?.iter().any(|found| found == key);
            if is_there { Ok(()) } else { Err(error) }
        }
        completed => completed.map(drop),
    }
}
