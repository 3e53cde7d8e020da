//! Options of the commands that speak the licence protocol as a client: `client` and `bench`.

use crate::commands::{address, number};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tmr_core::base::network::Address;

/// `client`.
#[derive(Debug, Args)]
pub struct Client {
    /// The servers, in the order in which they are tried.
    #[arg(
        long,
        value_name = "HOST:PORT",
        required = true,
        value_delimiter = ',',
        value_parser = address::licence
    )]
    pub server: Vec<Address>,
    /// What to ask.
    #[command(subcommand)]
    pub ask: Ask,
}

/// What to ask a licence server.
#[derive(Debug, Subcommand)]
pub enum Ask {
    /// The version of the API that the server speaks.
    #[command(after_help = "Example:\n  tmrd client --server 127.0.0.1:22350 version")]
    Version,
    /// The servers that it knows.
    #[command(after_help = "Example:\n  tmrd client --server 127.0.0.1:22350 servers")]
    Servers,
    /// What its containers hold: licences, what limits them, and how many are in use. Takes no seat
    /// and begins no usage period.
    #[command(after_help = "Example:\n  tmrd client --server 127.0.0.1:22350 list\n\n  \
        virtual container 131-59885682\n\n  \
        Firm Item 6000010  Example\n    \
        product  TMR-Id  seats  used  free  text\n    \
        201      1       5      2     3     Editor\n             \
        held: 2 user-limit; expires 2099-01-01; denied: exclusive")]
    List {
        /// Print one JSON value.
        #[arg(long)]
        json: bool,
    },
    /// Takes a seat of a licence, and gives it back.
    #[command(after_help = "Example:\n  tmrd client --server 127.0.0.1:22350 access --firm-code \
        6000010 --product-code 201 --hold 60")]
    Access(Access),
    /// Plays a recorded conversation, with the live handle in the place of the recorded one.
    #[command(after_help = "Example:\n  \
        tmrd client --server 127.0.0.1:22350 replay conversation.json\n\nconversation.json:\n  \
        {\"frames\": [{\"dir\": \"c2s\", \"hex\": \"2300000000000000\"}]}")]
    Replay {
        /// The conversation.
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
}

/// `client access`.
#[derive(Debug, Args)]
pub struct Access {
    /// Firm Code.
    #[arg(long, value_name = "N", value_parser = number::within(0..=u32::MAX), allow_negative_numbers = true)]
    pub firm_code: u32,
    /// Product Code.
    #[arg(long, value_name = "N", value_parser = number::within(0..=u32::MAX), allow_negative_numbers = true)]
    pub product_code: u32,
    /// Feature bits that the licence must have.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::within(0..=u32::MAX),
        allow_negative_numbers = true)]
    pub feature: u32,
    /// How it counts.
    #[arg(long, value_enum, default_value = "user-limit")]
    pub mode: AccessMode,
    /// How long to keep the seat; Ctrl-C gives it back earlier. 0: give it back at once.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = number::within(0..=4_294_967_295u64))]
    pub hold: u64,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// What each client does.
    #[arg(value_enum)]
    pub work: BenchWork,
    /// The server.
    #[arg(long, value_name = "HOST:PORT", value_parser = address::licence)]
    pub server: Address,
    /// Firm Code.
    #[arg(long, value_name = "N", default_value_t = 6_000_010, value_parser = number::within(0..=u32::MAX),
        allow_negative_numbers = true)]
    pub firm_code: u32,
    /// Product Code; it must have a seat for each client.
    #[arg(long, value_name = "N", default_value_t = 201, value_parser = number::within(0..=u32::MAX),
        allow_negative_numbers = true)]
    pub product_code: u32,
    /// How many clients there are at once, each with a link of its own.
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = number::within(1..=20_000usize))]
    pub clients: usize,
    /// How long is measured.
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = number::within(1..=86_400u64))]
    pub seconds: u64,
    /// Bytes that each crypt call encrypts; whole blocks of 16.
    #[arg(long, value_name = "BYTES", default_value_t = 64,
        value_parser = number::within(16..=65_536usize))]
    pub data: usize,
}

/// What the clients of `bench` do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWork {
    /// Take a seat and give it back, again and again.
    Access,
    /// Hold a seat and encrypt with it, again and again.
    Crypt,
    /// Connect, ask for the version once, and stay silent.
    Idle,
}

/// How an access counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// Every access takes a seat.
    UserLimit,
    /// No seat is taken.
    NoUserLimit,
    /// Takes a seat, and is the only access of its station.
    Exclusive,
    /// All accesses of one station share one seat.
    StationShare,
}
