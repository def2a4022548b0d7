//! Requests' bodies on their way in: each whole and within its limit, the large ones within a bound in
//! total.
//!
//! Without the second bound a few hundred clients that each send what one may send would take the
//! machine's memory. Small bodies are not counted: the connection limit bounds those.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use hyper::body::Body;
use queue_api::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::ApiError;
use super::input::Payload;

/// Largest body that is not counted, in bytes: most are a hundredth of it.
const SMALL_BYTES: usize = 64 * 1024;
/// Most bytes of large bodies at a time: sixteen of the largest there may be.
const ROOM_BYTES: usize = 256 * 1024 * 1024;
/// Unit in which they are counted, in bytes.
const UNIT: usize = 1024;
/// Longest that a large body waits for room: its client, who waits as well, should hear why before
/// it gives up by itself.
const ROOM_WAIT: Duration = Duration::from_secs(10);

/// Where bodies are read.
#[derive(Debug)]
pub(super) struct Intake {
    most_bytes: usize,
    room: Arc<Semaphore>,
}

impl Intake {
    /// Takes bodies of at most so many bytes.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            room: Arc::new(Semaphore::new(ROOM_BYTES / UNIT)),
        }
    }

    /// Reads a body to its end. One whose length says that it is too large is refused unread.
    pub(super) async fn read<B>(&self, mut body: B) -> Result<Payload, ApiError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let length = body.size_hint();
        if length.lower() > self.most_bytes as u64 {
            return Err(too_large());
        }
        // A body that does not tell its length has room for the longest until it is here.
        let said = length.upper().and_then(|bytes| usize::try_from(bytes).ok());
        let most = said.unwrap_or(self.most_bytes).min(self.most_bytes);
        let mut room = None;
        if most > SMALL_BYTES {
            // On the heap: few bodies need it, and each call would have a place for it.
            room = Some(Box::pin(self.room_for(most)).await?);
        }
        let first = next(&mut body).await?.unwrap_or_default();
        // Most bodies come in one piece, which is kept as it is.
        let bytes = if body.is_end_stream() {
            first
        } else {
            self.gather(first, said, &mut body).await?
        };
        if bytes.len() > self.most_bytes {
            return Err(too_large());
        }
        if let Some(room) = &mut room {
            // Dropped, which gives back what the body turned out not to need.
            let _surplus = room.split((most - bytes.len()) / UNIT);
        }
        Ok(Payload::new(bytes, room))
    }

    /// Reads on where there may be more than one piece.
    async fn gather<B>(
        &self,
        first: Bytes,
        said: Option<usize>,
        body: &mut B,
    ) -> Result<Bytes, ApiError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let Some(second) = next(body).await? else {
            return Ok(first);
        };
        // Room in one go where the length is known, so that nothing is copied twice. What does not
        // arrive takes no memory: it is not touched.
        let mut whole = Vec::with_capacity(said.unwrap_or(2 * (first.len() + second.len())));
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        drop((first, second));
        while let Some(piece) = next(body).await? {
            if whole.len() + piece.len() > self.most_bytes {
                return Err(too_large());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }

    async fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(units);
        match timeout(ROOM_WAIT, room).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(ApiError::new(
                Code::Overloaded,
                format!(
                    "the server is taking in {} MiB of large requests, its most; send it in several, or try again",
                    ROOM_BYTES >> 20
                ),
            )),
        }
    }
}

/// The next piece with bytes in it.
async fn next<B>(body: &mut B) -> Result<Option<Bytes>, ApiError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let Some(frame) = frame
            .transpose()
            .map_err(|error| ApiError::from(error.into()))?
        else {
            return Ok(None);
        };
        // Trailers say nothing to us.
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        Code::BodyTooLarge,
        "the request is larger than this server takes; send it in several",
    )
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// A body in pieces, which tells no length.
    fn pieces(pieces: &[&'static str]) -> axum::body::Body {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, BoxError>(Bytes::from_static(piece.as_bytes())))
            .collect();
        axum::body::Body::from_stream(stream::iter(pieces))
    }

    async fn read(intake: &Intake, body: axum::body::Body) -> Result<Vec<u8>, Code> {
        let payload = intake.read(body).await;
        payload
            .map(|payload| payload.bytes().to_vec())
            .map_err(|error| error.code())
    }

    #[tokio::test]
    async fn a_body_is_whole_in_however_many_pieces_it_comes() {
        let intake = Intake::new(8);
        assert_eq!(read(&intake, axum::body::Body::empty()).await, Ok(vec![]));
        assert_eq!(read(&intake, "one".into()).await, Ok(b"one".to_vec()));
        for several in [&["12345678"] as &[_], &["123", "", "45", "678"]] {
            assert_eq!(
                read(&intake, pieces(several)).await,
                Ok(b"12345678".to_vec())
            );
        }
    }

    #[tokio::test]
    async fn one_byte_past_the_limit_is_too_large_with_or_without_a_length() {
        let intake = Intake::new(8);
        let too_large = Err(Code::BodyTooLarge);
        assert_eq!(read(&intake, "123456789".into()).await, too_large);
        for several in [
            &["123456789"] as &[_],
            &["12345678", "9"],
            &["1", "234567", "89", "0"],
        ] {
            assert_eq!(read(&intake, pieces(several)).await, too_large);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_past_the_bound_wait_for_room_and_small_ones_do_not() {
        let intake = Intake::new(ROOM_BYTES / 2);
        let large = || axum::body::Body::from(vec![7; ROOM_BYTES / 2]);
        let first = intake.read(large()).await.expect("room");
        let second = intake.read(large()).await.expect("room");
        assert_eq!(
            read(&intake, vec![7; SMALL_BYTES].into()).await,
            Ok(vec![7; SMALL_BYTES])
        );
        let counted = vec![7; SMALL_BYTES + 1];
        assert_eq!(
            read(&intake, counted.clone().into()).await,
            Err(Code::Overloaded)
        );
        let waiting = read(&intake, counted.clone().into());
        let leaving = async {
            tokio::time::advance(ROOM_WAIT / 2).await;
            drop(first);
        };
        let (read, ()) = tokio::join!(waiting, leaving);
        assert_eq!(read, Ok(counted));
        drop(second);
        assert_eq!(intake.room.available_permits(), ROOM_BYTES / UNIT);
    }

    #[tokio::test]
    async fn a_body_that_told_no_length_keeps_the_room_it_needs() {
        let intake = Intake::new(ROOM_BYTES);
        let short = intake.read(pieces(&["short"])).await.expect("room");
        assert_eq!(intake.room.available_permits(), ROOM_BYTES / UNIT - 1);
        drop(short);
        assert_eq!(intake.room.available_permits(), ROOM_BYTES / UNIT);
    }
}
