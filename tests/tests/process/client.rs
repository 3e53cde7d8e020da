//! `tmrd client` with servers that are dead, silent, or lost in the middle of a call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use tmr_tests::harness::{Cluster, FIRM_CODE, Finished, Program, Runtime, TMR, signal};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_dead_or_silent_server_is_passed_over,
    a_silent_server_alone_is_unreachable,
    a_held_seat_outlives_its_front_and_is_given_back_to_the_next,
    a_lost_answer_is_asked_for_again_or_said_to_be_lost,
);

fn client(program: &Program, servers: &str, arguments: &[&str]) -> Finished {
    program.run(["client", "--server", servers].iter().chain(arguments))
}

fn access() -> [String; 5] {
    let (firm, product) = (FIRM_CODE.to_string(), TMR.to_string());
    ["access".into(), "--firm-code".into(), firm, "--product-code".into(), product]
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let at = listener.local_addr().expect("a listener has an address");
    (listener, at)
}

fn a_dead_or_silent_server_is_passed_over(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    // The system accepts connections, from which no program reads.
    let (_silent, silent) = listen();
    let (dead, nobody) = listen();
    drop(dead);
    let servers = format!("{nobody},{silent},{}", cluster.front().licence());
    client(cluster.program(), &servers, &["version"]).expect(0);
    let access = access();
    let access: Vec<&str> = access.iter().map(String::as_str).collect();
    client(cluster.program(), &servers, &access).expect(0);
    assert_eq!(cluster.used(TMR), 0, "it was given back");
}

fn a_silent_server_alone_is_unreachable(runtime: Runtime) {
    let (_silent, silent) = listen();
    let end = client(&Program::of(runtime), &silent.to_string(), &["version"]).expect(4);
    end.one_clear_error(&[&silent.to_string(), "CmGetVersion", "timed out"]);
}

fn a_held_seat_outlives_its_front_and_is_given_back_to_the_next(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let servers = format!("{},{}", cluster.fronts[0].licence(), cluster.fronts[1].licence());
    let mut command = cluster.program().command(["client", "--server", &servers]);
    command.args(access()).args(["--hold", "3600"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program was built, so it starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("its output is a pipe");
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert!(line.starts_with("handle "), "{line}");

    cluster.fronts[0].kill();
    cluster.activate(1);
    // The command ends as by Ctrl-C, and releases its seat on a new connection.
    signal("TERM", &[child.id()]);
    let output = child.wait_with_output().expect("a child of our own can be waited for");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("given back"), "{err}");
    let status = tmr_tests::harness::get_json(cluster.fronts[1].admin(), "/api/status");
    let allocations = status.expect("the status of the front that leads")["allocations"].clone();
    assert_eq!(allocations.as_array().map(Vec::len), Some(0), "{allocations:#}");
}

fn a_lost_answer_is_asked_for_again_or_said_to_be_lost(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let server = cluster.front().licence();
    let (listener, between) = listen();
    // The thread ends with the process.
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            lose_the_answer(client, server);
        }
    });
    let both = format!("{between},{server}");
    client(cluster.program(), &both, &["version"]).expect(0);
    let access = access();
    let access: Vec<&str> = access.iter().map(String::as_str).collect();
    let end = client(cluster.program(), &both, &access).expect(1);
    let between = between.to_string();
    end.one_clear_error(&["CmAccess2", &between, "may or may not have been taken"]);
    assert_eq!(cluster.used(TMR), 1, "the one access was done, and no other was made");
}

/// Relays the key agreement and one request, and closes the connection when the answer arrives.
fn lose_the_answer(mut client: TcpStream, server: SocketAddr) {
    let mut server = TcpStream::connect(server).expect("the front takes a connection");
    let message = |from: &mut TcpStream, to: Option<&mut TcpStream>| {
        let mut bytes = vec![0; 16];
        from.read_exact(&mut bytes).expect("an envelope");
        let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        bytes.resize(16 + length as usize, 0);
        from.read_exact(&mut bytes[16..]).expect("a body");
        if let Some(to) = to {
            to.write_all(&bytes).expect("the other end reads");
        }
    };
    message(&mut client, Some(&mut server));
    message(&mut server, Some(&mut client));
    message(&mut client, Some(&mut server));
    message(&mut server, None);
    let _ = client.shutdown(Shutdown::Both);
}
