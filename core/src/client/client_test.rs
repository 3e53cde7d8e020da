//! The client against simulated servers and a simulated clock.

use super::*;
use crate::wire::structs::{CmAccess2, CmCrypt2};
use std::string::{String, ToString};
use std::vec;

/// The behaviour of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It refuses connections.
    Refuses,
    /// Packets to it are lost.
    Lost,
    /// It accepts a connection and sends nothing.
    Silent,
    /// It agrees on a key and answers with this status.
    Says(u32),
    /// It agrees on a key, takes the call, and closes.
    Takes,
    /// It takes the call and never answers.
    Swallows,
    /// It answers twice.
    Babbles,
}

struct World {
    client: Client,
    now: Mono,
    manners: Vec<Manner>,
    /// The open connection: name, server, and the server's end of the stream.
    up: Option<(LinkId, usize, SecureChannel)>,
    /// The servers that were dialled, when (in ms), and the time limit.
    dialled: Vec<(usize, u64, u64)>,
    /// The calls that servers received: server and call number.
    taken: Vec<(usize, u32)>,
}

impl World {
    fn new(manners: &[Manner]) -> Self {
        let servers =
            (0..manners.len()).map(|at| Address { host: at.to_string(), port: 1 }).collect();
        let (now, manners) = (Mono(1_000_000), manners.to_vec());
        let client = Client::new(servers, [7; 32]);
        Self { client, now, manners, up: None, dialled: Vec::new(), taken: Vec::new() }
    }

    fn millis(&self) -> u64 {
        self.now.0 / 1000
    }

    fn call(&mut self, request: &Request) -> Result<Reply, Unanswered> {
        self.run(Input::Call(request.encode())).expect("every call ends")
    }

    /// Gives an input, then runs servers and the clock until there is an answer or nothing is left
    /// to do.
    fn run(&mut self, input: Input) -> Option<Result<Reply, Unanswered>> {
        let mut input = input;
        for _ in 0..10_000 {
            let mut intents = Vec::new();
            let deadline = self.client.step(self.now, input, &mut intents);
            let answers = intents.iter().filter(|it| matches!(it, Intent::Answer(_))).count();
            let mut next = None;
            for intent in intents {
                if let Intent::Answer(answer) = intent {
                    assert_eq!((answers, &next), (1, &None), "the answer is the last intent");
                    return Some(answer);
                }
                next = self.done(intent).or(next);
            }
            input = match (next, deadline) {
                (Some(next), _) => next,
                (None, Some(deadline)) => {
                    assert!(deadline.at > self.now, "a fired timer moves its deadline");
                    self.now = deadline.at;
                    Input::Tick
                }
                (None, None) => return None,
            };
        }
        panic!("it goes on for ever");
    }

    fn done(&mut self, intent: Intent) -> Option<Input> {
        match intent {
            Intent::Dial { link, to, within } => {
                assert!(self.up.is_none(), "one connection at a time");
                let at: usize = to.host.parse().unwrap();
                let millis = u64::try_from(within.as_millis()).unwrap();
                self.dialled.push((at, self.millis(), millis));
                match self.manners[at] {
                    Manner::Refuses => {
                        Some(Input::Closed { link, reason: CloseReason::Broken("refused".into()) })
                    }
                    Manner::Lost => {
                        self.now = self.now + within;
                        Some(Input::Closed { link, reason: CloseReason::Timeout("connecting") })
                    }
                    _ => {
                        self.up = Some((link, at, SecureChannel::licence([3; 32], None)));
                        Some(Input::Opened { link, entropy: [5; 32] })
                    }
                }
            }
            Intent::Write { link, bytes } => {
                let (known, at, stream) = self.up.as_mut().expect("it stands");
                assert_eq!(*known, link);
                let manner = self.manners[*at];
                if manner == Manner::Silent {
                    return None;
                }
                let (mut wire, mut frames) = (Vec::new(), Vec::new());
                stream.open(&bytes, &mut wire, &mut frames).unwrap();
                if let Some(Frame::Call(call)) = frames.pop() {
                    let request = Request::parse(&call).unwrap();
                    self.taken.push((*at, request.number()));
                    let reply = Reply { result: 9, ..Reply::error(CmError(0)) }.encode();
                    match manner {
                        Manner::Says(0) => stream.seal(&[reply], &mut wire),
                        Manner::Says(status) => {
                            let reply = Reply::error_for(&request, CmError(status));
                            stream.seal(&[reply.encode()], &mut wire);
                        }
                        Manner::Babbles => stream.seal(&[reply.clone(), reply], &mut wire),
                        Manner::Takes => {
                            self.up = None;
                            return Some(Input::Closed { link, reason: CloseReason::Eof });
                        }
                        _ => return None,
                    }
                }
                Some(Input::Received { link, bytes: wire })
            }
            Intent::Close { link } => {
                if self.up.as_ref().is_some_and(|(known, ..)| *known == link) {
                    self.up = None;
                }
                None
            }
            Intent::Answer(_) => unreachable!("seen before"),
        }
    }

    /// Breaks the open connection.
    fn cut(&mut self) {
        let (link, ..) = self.up.take().expect("it stands");
        assert_eq!(self.run(Input::Closed { link, reason: CloseReason::Eof }), None);
    }
}

fn access() -> Request {
    let access = Box::new(CmAccess2::default());
    Request::Access2 { ctrl: 0, access, tail: Vec::new() }
}

const VERSION: Request = Request::GetVersion { handle: 0 };
const RELEASE: Request = Request::Release { handle: 9 };

#[test]
fn servers_are_tried_in_turn_and_the_one_that_answers_is_kept() {
    let mut world = World::new(&[Manner::Refuses, Manner::Says(0)]);
    assert_eq!(world.client.server().host, "0");
    assert_eq!(world.call(&VERSION), Ok(Reply::ok(9)));
    assert_eq!(world.call(&VERSION), Ok(Reply::ok(9)));
    let at: Vec<usize> = world.dialled.iter().map(|(at, ..)| *at).collect();
    assert_eq!(at, [0, 1], "at once, and not again");
    assert_eq!(world.millis(), 1000);
    assert_eq!(world.client.server().host, "1");
}

#[test]
fn pauses_grow_from_20_ms_and_differ() {
    let mut world = World::new(&[Manner::Refuses]);
    let lost = world.call(&VERSION).unwrap_err();
    assert_eq!(lost.to_string(), "no licence server answers CmGetVersion: 0:1: refused");
    assert_eq!(world.millis(), 4000, "a client that reached nobody gives up early");
    let at: Vec<u64> = world.dialled.iter().map(|(_, at, _)| at - 1000).collect();
    assert!((10..=20).contains(&at[1]), "{at:?}");
    let pauses: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (round, pause) in pauses.iter().enumerate() {
        let most = (20 << round.min(8)).min(250);
        assert!((most / 2..=most).contains(pause), "{pauses:?}");
    }
    let mut other = World::new(&[Manner::Refuses]);
    other.client = Client::new(other.client.servers.clone(), [8; 32]);
    assert!(other.call(&VERSION).is_err());
    assert_ne!(other.dialled, world.dialled, "two clients do not come at the same time");
}

#[test]
fn a_lost_packet_costs_a_quarter_of_a_second() {
    let mut world = World::new(&[Manner::Lost, Manner::Says(0)]);
    assert!(world.call(&access()).is_ok());
    assert_eq!(world.millis(), 1250);
    let mut alone = World::new(&[Manner::Lost]);
    let lost = alone.call(&access()).unwrap_err();
    assert_eq!(lost.doubt, None, "nothing was sent: {lost}");
    let within: Vec<u64> = alone.dialled.iter().map(|(.., within)| *within).collect();
    assert_eq!(within[..3], [250, 500, 1000]);
    assert_eq!(alone.millis(), 4000, "the last attempt is cut short: {within:?}");
}

#[test]
fn a_server_that_is_silent_is_left_after_a_second() {
    let mut world = World::new(&[Manner::Silent, Manner::Says(0)]);
    assert!(world.call(&access()).is_ok());
    assert_eq!(world.millis(), 2000);
    let mut alone = World::new(&[Manner::Silent]);
    let text = alone.call(&access()).unwrap_err().to_string();
    assert!(text.contains("timed out: the key agreement"), "{text}");
}

#[test]
fn a_handle_is_used_again_at_the_next_front() {
    let mut world = World::new(&[Manner::Says(0), Manner::Says(0)]);
    let handle = world.call(&access()).unwrap().result;
    world.manners[0] = Manner::Refuses;
    world.cut();
    assert!(world.call(&Request::GetInfo { handle, ctrl: 0, size: 0 }).is_ok());
    assert_eq!(world.taken, [(0, 0x64), (1, 0x21)]);
}

#[test]
fn what_changes_nothing_is_made_again_when_its_answer_is_lost() {
    let plain = Request::Crypt2 {
        handle: 9,
        ctrl: 0,
        crypt: CmCrypt2::default(),
        data: vec![0; 16].into(),
    };
    for call in [VERSION, plain] {
        let mut world = World::new(&[Manner::Takes, Manner::Says(0)]);
        assert!(world.call(&call).is_ok());
        assert_eq!(world.taken, [(0, call.number()), (1, call.number())]);
    }
    let mut world = World::new(&[Manner::Swallows, Manner::Says(0)]);
    assert!(world.call(&VERSION).is_ok());
    assert_eq!(world.millis(), 5000, "a reply is awaited for four seconds");
}

#[test]
fn an_access_whose_answer_is_lost_is_an_error_that_says_so() {
    for manner in [Manner::Takes, Manner::Swallows, Manner::Babbles] {
        let mut world = World::new(&[manner, Manner::Says(0)]);
        let lost = world.call(&access()).unwrap_err();
        assert_eq!(lost.doubt, Some(Effect::Access));
        let text = lost.to_string();
        assert!(text.contains("CmAccess2 was lost with the connection to 0:1"), "{text}");
        assert_eq!(world.taken, [(0, 0x64)], "{manner:?}: it is not made twice");
        assert!(world.call(&VERSION).is_ok(), "{manner:?}: the client goes on");
        assert_eq!(world.taken[1..], [(1, 0x23)]);
    }
    let mut crypt = CmCrypt2::default();
    crypt.base_crypt.encryption_code_options = 1;
    let units = Request::Crypt2 { handle: 9, ctrl: 0, crypt, data: Vec::new().into() };
    let mut world = World::new(&[Manner::Takes, Manner::Says(0)]);
    assert_eq!(world.call(&units).unwrap_err().doubt, Some(Effect::Units));
}

#[test]
fn a_release_is_made_again_and_a_handle_that_is_gone_then_was_given_back() {
    let mut world = World::new(&[Manner::Takes, Manner::Says(106)]);
    assert_eq!(world.call(&RELEASE), Ok(Reply::ok(0)));
    let mut first = World::new(&[Manner::Says(106)]);
    let status = first.call(&RELEASE).unwrap().status;
    assert_eq!(status, CmError::INVALID_HANDLE, "nobody has given this one back");
    let mut never = World::new(&[Manner::Takes]);
    let lost = never.call(&RELEASE).unwrap_err();
    assert_eq!(lost.doubt, Some(Effect::Release));
    assert!(never.taken.len() > 3, "{:?}", never.taken);
    assert_eq!(never.millis(), 16_000, "it was reached, so the call has its whole time");
}

#[test]
fn what_was_answered_with_238_is_made_again() {
    for call in [VERSION, RELEASE, access()] {
        let mut world = World::new(&[Manner::Says(238), Manner::Says(0)]);
        assert_eq!(world.call(&call), Ok(Reply::ok(9)));
    }
    // With one address the connection stays, because it may be to the front that leads soon.
    let mut alone = World::new(&[Manner::Says(238)]);
    let status = alone.call(&access()).unwrap().status;
    assert_eq!(status, CmError::SERVER_START_PENDING, "told when its time is over");
    assert_eq!((alone.dialled.len(), alone.millis()), (1, 16_000));
    assert!(alone.taken.len() > 10);
    // Any other refusal is the answer.
    let mut full = World::new(&[Manner::Says(212), Manner::Says(0)]);
    assert_eq!(full.call(&access()).unwrap().status, CmError::NO_MORE_LICENSES);
}

#[test]
fn a_link_that_is_not_known_is_a_no_op() {
    let mut world = World::new(&[Manner::Says(0)]);
    assert!(world.call(&VERSION).is_ok());
    let link = LinkId(77);
    for input in [
        Input::Opened { link, entropy: [0; 32] },
        Input::Received { link, bytes: vec![1, 2, 3] },
        Input::Closed { link, reason: CloseReason::Eof },
        Input::Tick,
    ] {
        assert_eq!(world.run(input), None);
    }
    assert!(world.call(&VERSION).is_ok());
    assert_eq!(world.dialled.len(), 1, "the connection still stands");
}

#[test]
fn bytes_that_are_no_reply_end_the_connection() {
    let mut world = World::new(&[Manner::Says(0)]);
    assert!(world.call(&VERSION).is_ok());
    let link = world.up.as_ref().unwrap().0;
    let bytes = String::from("HTTP/1.1 400 Bad Request").into_bytes();
    assert_eq!(world.run(Input::Received { link, bytes }), None);
    assert!(world.up.is_none());
    assert!(world.call(&VERSION).is_ok());
    assert_eq!(world.dialled.len(), 2);
}

#[test]
fn a_call_that_cannot_be_read_is_made_once() {
    let mut world = World::new(&[Manner::Lost]);
    let lost = world.run(Input::Call(vec![1])).unwrap().unwrap_err();
    assert_eq!((lost.call, lost.doubt), ("a malformed call", None));
}
