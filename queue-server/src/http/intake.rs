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

use super::encoding::{Encoding, Undecodable};
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

    /// The same for a body that may be encoded: what comes out of it is bounded like one that is not, and
    /// counted like one that does not tell its length.
    pub(super) async fn read_as<B>(&self, encoding: Encoding, body: B) -> Result<Payload, ApiError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let payload = self.read(body).await?;
        if encoding == Encoding::Identity || payload.bytes().is_empty() {
            return Ok(payload);
        }
        // On the heap, for the same reason as above.
        Box::pin(self.decode(encoding, payload)).await
    }

    async fn decode(&self, encoding: Encoding, payload: Payload) -> Result<Payload, ApiError> {
        let most_bytes = self.most_bytes;
        let mut room = self.room_for(most_bytes).await?;
        // A small body can take a while: what it says in a kilobyte may be megabytes. The room goes along,
        // since nobody stops this when the client goes away.
        let decoding = tokio::task::spawn_blocking(move || {
            let decoded = encoding.decode(payload.bytes(), most_bytes)?;
            let _surplus = room.split((most_bytes - decoded.len()) / UNIT);
            Ok((decoded, room))
        });
        match decoding.await.map_err(ApiError::internal)? {
            Ok((decoded, room)) => Ok(Payload::new(decoded.into(), Some(room))),
            Err(Undecodable::TooLarge) => Err(too_large()),
            Err(Undecodable::Broken(error)) => Err(ApiError::bad_request(format!(
                "the body is not what its Content-Encoding says, or not whole: {error}"
            ))),
        }
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
    async fn a_bomb_is_too_large_and_leaves_its_room() {
        let intake = Intake::new(1 << 20);
        let room = intake.room.available_permits();
        let bomb = zstd::encode_all([0; 2 << 20].as_slice(), 19).expect("a vector takes it");
        assert!(bomb.len() < 1_000, "{}", bomb.len());
        let refused = intake
            .read_as(Encoding::Zstd, axum::body::Body::from(bomb))
            .await;
        assert_eq!(
            refused.map_err(|error| error.code()).err(),
            Some(Code::BodyTooLarge)
        );
        assert_eq!(intake.room.available_permits(), room);
    }

    #[tokio::test]
    async fn what_came_out_keeps_the_room_it_needs() {
        let intake = Intake::new(1 << 20);
        let room = intake.room.available_permits();
        let encoded = zstd::encode_all([7; 100 * UNIT].as_slice(), 1).expect("a vector takes it");
        let payload = intake
            .read_as(Encoding::Zstd, axum::body::Body::from(encoded))
            .await;
        let payload = payload.expect("within the limit");
        assert_eq!(payload.bytes(), [7; 100 * UNIT]);
        assert_eq!(intake.room.available_permits(), room - 100);
        drop(payload);
        assert_eq!(intake.room.available_permits(), room);
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
