//! The clients' own records: the seats that they were granted and have not released.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use tmr_tests::harness::{FIRM_CODE, SEATS, TMR, get_json, take};
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};

/// One licence, and the seats that its clients hold.
#[derive(Debug)]
pub(crate) struct Book {
    product: u32,
    seats: u32,
    held: BTreeSet<u32>,
    ever: BTreeSet<u32>,
    people: u32,
}

/// The result of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Granted,
    /// The server refused it with this error.
    Refused(u32),
    /// There was no answer, so the seat may or may not be taken.
    Silence,
}

impl Book {
    /// An empty record of the sample licence.
    pub(crate) fn new() -> Self {
        Self::of(TMR, SEATS)
    }

    /// An empty record of a licence with this number of seats.
    pub(crate) fn of(product: u32, seats: u32) -> Self {
        let (held, ever) = (BTreeSet::new(), BTreeSet::new());
        Self { product, seats, held, ever, people: 0 }
    }

    /// Returns the handles of the seats that are held.
    pub(crate) fn held(&self) -> &BTreeSet<u32> {
        &self.held
    }

    /// A new client asks a front for a seat. All clients together never hold more than the licence
    /// has.
    #[track_caller]
    pub(crate) fn ask(&mut self, front: SocketAddr) -> Outcome {
        self.people += 1;
        let person = Person::new(&format!("ws-{}", self.people), "ada");
        let ask = AccessRequest::new(FIRM_CODE, self.product).by(person);
        let Ok(mut client) = Client::connect(front) else { return Outcome::Silence };
        match take(&mut client, &ask) {
            Err(_) => Outcome::Silence,
            Ok(Err(status)) => Outcome::Refused(status),
            Ok(Ok(handle)) => {
                assert!(self.ever.insert(handle), "handle {handle} was given a second time");
                self.held.insert(handle);
                let (held, seats) = (self.held.len(), self.seats as usize);
                assert!(held <= seats, "{held} seats of {seats} are held: {:?}", self.held);
                Outcome::Granted
            }
        }
    }

    /// Takes this number of seats.
    #[track_caller]
    pub(crate) fn take(&mut self, front: SocketAddr, count: usize) {
        for number in 1..=count {
            assert_eq!(self.ask(front), Outcome::Granted, "number {number} of {count}");
        }
    }

    /// Takes seats until an access fails, and returns that result.
    #[track_caller]
    pub(crate) fn take_all(&mut self, front: SocketAddr) -> Outcome {
        loop {
            let outcome = self.ask(front);
            if outcome != Outcome::Granted {
                return outcome;
            }
        }
    }

    /// Checks that every held seat answers at a front that leads, and that the front counts exactly
    /// these.
    #[track_caller]
    pub(crate) fn is_right_at(&self, licence: SocketAddr, admin: SocketAddr) {
        let mut client = Client::connect(licence).expect("the front takes a client");
        for handle in &self.held {
            let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
            assert_eq!(reply.status, 0, "acknowledged seat {handle} answers");
        }
        assert_eq!(self.counted_by(admin), self.held, "what the front counts, and what is held");
    }

    /// Returns the handles that a front shows as seats of the licence.
    #[track_caller]
    pub(crate) fn counted_by(&self, admin: SocketAddr) -> BTreeSet<u32> {
        let status = get_json(admin, "/api/status").expect("a front's status");
        let rows = status["allocations"].as_array().expect("a list of allocations").iter();
        rows.filter(|row| row["product_code"] == self.product)
            .map(|row| row["handle"].as_u64().and_then(|it| u32::try_from(it).ok()))
            .collect::<Option<_>>()
            .expect("handles are numbers")
    }
}
