//! Asks the other servers of a group directly, with the group key, for their identity, their parts
//! and their time. It changes nothing.

use crate::commands::client::session::Session;
use crate::entropy;
use crate::reactor::dial::dial;
use crate::reactor::net::{broken, read_some, write};
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;
use tmr_core::base::time::Wall;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{CloseReason, Frame};
use tmr_core::messages::group::{Description, Order, Report, decode, encode};
use tmr_core::messages::twin::Hello;
use tmr_core::wire::Request;
use tmr_core::wire::constants::info;
use tmr_core::wire::structs::{CmAccess2, CmBoxTime, Layout};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The number of bytes that one read takes at most.
const CHUNK: usize = 64 * 1024;

/// Returns the description that a backend gives of itself.
///
/// # Errors
/// It does not answer, or has another group key.
pub(super) fn backend(to: &Address, key: &GroupKey) -> Result<Description, CloseReason> {
    let stream = SecureChannel::dial_backend(entropy::fresh(), key.clone(), entropy::id());
    exchange(to, stream, Some(encode(1, &Order::Describe)), |frame| match frame {
        Frame::Batch(bytes) => {
            decode::<Report>(&bytes).ok()?.into_iter().find_map(|message| match message.body {
                Report::Described(description) => Some(description),
                _ => None,
            })
        }
        _ => None,
    })
}

/// Returns the first message of the other front, at its listener for twins.
///
/// # Errors
/// It does not answer, or has another group key.
pub(super) fn twin(to: &Address, key: &GroupKey) -> Result<Hello, CloseReason> {
    let stream = SecureChannel::twin_dial(entropy::fresh(), key);
    exchange(to, stream, None, |frame| match frame {
        Frame::Twin(bytes) => Hello::decode(&bytes).ok(),
        _ => None,
    })
}

/// Returns the time that a licence server's container reports.
pub(super) fn clock(at: &Address) -> Option<Wall> {
    let mut session = Session::new(std::slice::from_ref(at));
    let access =
        Request::Access2 { ctrl: 0, access: Box::new(CmAccess2::default()), tail: Vec::new() };
    let handle = session.call(&access).ok()?.result;
    let size = u32::try_from(CmBoxTime::SIZE).unwrap_or_default();
    let reply = session.call(&Request::GetInfo { handle, ctrl: info::BOXTIME, size });
    let _ = session.call(&Request::Release { handle });
    let (_, time) = CmBoxTime::parse(&reply.ok()?.body).ok()?;
    time.system_time.to_wall()
}

/// Opens a connection, sends a frame as soon as the key is proved, and reads until `is` accepts a
/// frame.
fn exchange<T>(
    to: &Address,
    mut stream: SecureChannel,
    say: Option<Vec<u8>>,
    is: impl Fn(Frame) -> Option<T>,
) -> Result<T, CloseReason> {
    let socket = dial(to)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|error| broken(&error))?;
    let (mut wire, mut frames, mut buffer) = (Vec::new(), Vec::new(), vec![0; CHUNK]);
    stream.greet(&mut wire);
    stream.seal(say.as_slice(), &mut wire);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        write(&socket, &mut wire)?;
        let Some(count) = read_some(&socket, &mut buffer)? else { break };
        if count == 0 {
            return Err(CloseReason::Eof);
        }
        let opened = stream.open(&buffer[..count], &mut wire, &mut frames);
        if let Some(found) = frames.drain(..).find_map(&is) {
            return Ok(found);
        }
        opened?;
    }
    Err(CloseReason::Timeout("it takes connections and does not answer"))
}
