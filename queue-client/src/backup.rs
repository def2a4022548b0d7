//! Everything out of a server, and everything into one, as streams.
//!
//! Neither is repeated half way: half a backup cannot be gone on with. Of a backup's form no more is
//! known than it takes to see that it is whole; `docs/data-format.md` has the rest.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Stream, TryStreamExt, stream};
use queue_api::Restored;
use reqwest::{Body, Method};

use crate::transport::{Call, unreachable};
use crate::{Client, Error, Result};

/// A backup that stands still for so long will not go on: the server reads its disk meanwhile.
const SILENCE: Duration = Duration::from_secs(60);
/// What a backup begins with.
const MAGIC: [u8; 8] = *b"memqbak\x01";
/// Length, checksum and number before the bytes of a frame.
const FRAME_HEAD: usize = 16;

const BACKUP: &str = "make a backup";
const RESTORE: &str = "restore a backup";

impl Client {
    /// All queues of the server as they are on its disk now, byte for byte, to be given to
    /// [`restore`](Self::restore). It is whole if the stream ends without an error.
    pub async fn backup(&self) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let call = Call::new(Method::GET, BACKUP, None, "/v1/backup");
        let arriving = Arriving {
            response: self.transport().open(&call).await?,
            form: Form::default(),
            over: false,
        };
        Ok(stream::unfold(arriving, |mut arriving| async move {
            Some((arriving.next().await?, arriving))
        }))
    }

    /// Brings the queues of a backup into a server that has none: all of them or, on any error that
    /// has an answer of the server, none. Takes as long as it takes.
    pub async fn restore(
        &self,
        backup: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<Restored> {
        let call = Call::new(Method::POST, RESTORE, None, "/v1/restore");
        let failed = Arc::new(Mutex::new(None));
        let failure = Arc::clone(&failed);
        let sent = backup.map_err(move |error| {
            let short = io::Error::from(error.kind());
            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            short
        });
        let answer = self.transport().send_once(&call, Body::wrap_stream(sent));
        let answer = answer.await;
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failed {
            // The server can only tell that it was cut off.
            Some(source) => Err(Error::Unread {
                what: RESTORE.into(),
                source,
            }),
            None => answer?.json(),
        }
    }
}

/// A backup on its way in.
struct Arriving {
    response: reqwest::Response,
    form: Form,
    over: bool,
}

impl Arriving {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.over {
            return None;
        }
        let next = match tokio::time::timeout(SILENCE, self.response.chunk()).await {
            Err(late) => Some(Err(unreachable(BACKUP.into(), late))),
            Ok(Err(error)) => Some(Err(unreachable(BACKUP.into(), error))),
            Ok(Ok(Some(bytes))) => match self.form.take(&bytes) {
                Ok(()) => Some(Ok(bytes)),
                Err(odd) => Some(Err(odd_backup(odd))),
            },
            Ok(Ok(None)) if self.form == Form::Ended => None,
            Ok(Ok(None)) => Some(Err(odd_backup("it ended before its end"))),
        };
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

fn odd_backup(detail: &str) -> Error {
    Error::Protocol {
        what: BACKUP.into(),
        status: 200,
        detail: detail.into(),
    }
}

/// How far a backup has come.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// In what it begins with.
    Magic(Vec<u8>),
    /// Between the frames, or in the head of one: so many came before it.
    Head { frames: u64, head: Vec<u8> },
    /// In the bytes of a frame: so many are to come.
    Frame { frames: u64, left: u64 },
    /// Past the frame that says how many there were.
    Ended,
}

impl Default for Form {
    fn default() -> Self {
        Self::Magic(Vec::new())
    }
}

impl Form {
    /// Goes on by these bytes, or says what is odd about them.
    fn take(&mut self, mut bytes: &[u8]) -> std::result::Result<(), &'static str> {
        while !bytes.is_empty() {
            match self {
                Self::Magic(magic) => {
                    fill(magic, MAGIC.len(), &mut bytes);
                    if *magic == MAGIC {
                        *self = Self::between(0);
                    } else if !MAGIC.starts_with(magic) {
                        return Err("it does not begin as a backup of this release does");
                    }
                }
                Self::Head { frames, head } => {
                    fill(head, FRAME_HEAD, &mut bytes);
                    if head.len() == FRAME_HEAD {
                        let mut head = &head[..];
                        let len = head.get_u32_le();
                        let _checksum = head.get_u32_le();
                        *self = match (len, head.get_u64_le()) {
                            (0, count) if count == *frames => Self::Ended,
                            (0, _) => return Err("frames of it are missing"),
                            (len, _) => Self::Frame {
                                frames: *frames + 1,
                                left: len.into(),
                            },
                        };
                    }
                }
                Self::Frame { frames, left } => {
                    let step = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    bytes.advance(step);
                    *left -= step as u64;
                    if *left == 0 {
                        *self = Self::between(*frames);
                    }
                }
                Self::Ended => return Err("it goes on after its end"),
            }
        }
        Ok(())
    }

    fn between(frames: u64) -> Self {
        Self::Head {
            frames,
            head: Vec::with_capacity(FRAME_HEAD),
        }
    }
}

/// Moves bytes until there are so many.
fn fill(into: &mut Vec<u8>, len: usize, bytes: &mut &[u8]) {
    let step = bytes.len().min(len - into.len());
    into.extend_from_slice(&bytes[..step]);
    bytes.advance(step);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64, bytes: &[u8]) -> Vec<u8> {
        let len = u32::try_from(bytes.len()).expect("short");
        let checksum = 0_u32;
        [
            &len.to_le_bytes()[..],
            &checksum.to_le_bytes(),
            &number.to_le_bytes(),
            bytes,
        ]
        .concat()
    }

    fn whole() -> Vec<u8> {
        let frames = [
            frame(64, b"one"),
            frame(128, b"two and three"),
            frame(2, b""),
        ];
        [&MAGIC[..], &frames.concat()].concat()
    }

    fn form(bytes: &[u8], piece: usize) -> std::result::Result<Form, &'static str> {
        let mut form = Form::default();
        for piece in bytes.chunks(piece) {
            form.take(piece)?;
        }
        Ok(form)
    }

    #[test]
    fn a_backup_is_whole_in_whatever_pieces_it_comes() {
        let whole = whole();
        for piece in 1..=whole.len() {
            assert_eq!(form(&whole, piece), Ok(Form::Ended), "{piece}");
        }
    }

    #[test]
    fn one_that_is_cut_off_anywhere_is_not_whole() {
        let whole = whole();
        for len in 0..whole.len() {
            let form = form(&whole[..len], 5).expect("nothing odd so far");
            assert_ne!(form, Form::Ended, "{len}");
        }
    }

    #[test]
    fn what_is_no_backup_or_lacks_a_frame_or_goes_on_is_refused() {
        let whole = whole();
        let lacking = [&MAGIC[..], &frame(64, b"one"), &frame(2, b"")].concat();
        let longer = [&whole[..], b"x"].concat();
        for odd in [&b"<html>"[..], b"memqbak\x02", &lacking, &longer] {
            assert!(form(odd, 3).is_err(), "{odd:?}");
        }
    }
}
