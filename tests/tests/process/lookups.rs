//! Servers that are known by name: names with several addresses of which some lead nowhere, and
//! names that move.
//!
//! Each process sees a list of hosts of the test's own, which takes root.

use serde_json::{Value, json};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tmr_tests::harness::{Cluster, Hole, Runtime, missing, status_until};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_name_is_served_whichever_of_its_addresses_answers,
    a_name_that_moves_is_followed,
    a_name_without_an_answer_is_told_with_its_addresses,
);

/// The silent addresses belong to the machine, so one test at a time uses them.
static TURN: Mutex<()> = Mutex::new(());
/// An address that never answers, beside the black-holed IPv6 address.
const SILENT: Ipv4Addr = Ipv4Addr::new(127, 77, 77, 77);

/// The names in use, and their addresses.
struct Names {
    file: PathBuf,
}

impl Names {
    fn lead(&self, names: &[(String, Vec<IpAddr>)]) {
        let lines =
            names.iter().flat_map(|(name, ips)| ips.iter().map(move |ip| format!("{ip} {name}\n")));
        // The file is written in place, because the processes see this one.
        fs::write(&self.file, lines.collect::<String>()).expect("the list of hosts");
    }
}

/// Starts a group whose processes see these names; `None`: this machine does not permit it.
fn group(runtime: Runtime, test: &str) -> Option<(Cluster, Names)> {
    if missing(rustix::process::geteuid().is_root(), "root, for a list of hosts of its own") {
        return None;
    }
    let file = std::env::temp_dir().join(format!("tmr-hosts-{}-{test}", std::process::id()));
    fs::write(&file, "").expect("the list of hosts");
    let before: &'static str = Box::leak(apart(&file).into_boxed_str());
    let cluster = Cluster::of(runtime).retry(1).twin().after(before).start();
    Some((cluster, Names { file }))
}

/// The shell commands by which a process and its look-ups see that file.
fn apart(hosts: &Path) -> String {
    let hosts = hosts.display();
    format!(
        "if [ -z \"$TMR_APART\" ]; then TMR_APART=1 exec unshare --mount sh -c \
         'mount --bind {hosts} /etc/hosts && exec \"$0\" \"$@\"' \"$0\" \"$@\"; fi"
    )
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn name(server: &str, index: usize) -> String {
    format!("{server}-{index}.test")
}

/// Makes a front find its backends and its twin by name.
fn by_name(front: usize) -> impl FnOnce(&mut Value) {
    move |configuration| {
        let servers = configuration["CmServer"]["Server"].as_array_mut().expect("a list");
        for (index, server) in servers.iter_mut().enumerate() {
            server["Ip"] = json!(name("backend", index));
        }
        configuration["TmrServer"]["TwinServer"]["Ip"] = json!(name("front", 1 - front));
    }
}

fn restart_by_name(cluster: &mut Cluster) {
    for front in 0..2 {
        cluster.fronts[front].kill();
    }
    for front in 0..2 {
        cluster.restart_front_with(front, by_name(front));
    }
}

/// The address of each name on a healthy network.
fn plain(cluster: &Cluster) -> Vec<(String, SocketAddr)> {
    let backends = cluster.backends.iter().enumerate();
    let backends = backends.map(|(index, server)| (name("backend", index), server.licence()));
    let fronts = (0..2).map(|front| (name("front", front), cluster.twin_listener(front)));
    backends.chain(fronts).collect()
}

fn serves(cluster: &Cluster) {
    cluster.activate(0);
    cluster.wait_whole(0);
    status_until(cluster.fronts[0].admin(), "twins in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
}

fn a_name_is_served_whichever_of_its_addresses_answers(runtime: Runtime) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((mut cluster, names)) = group(runtime, &format!("holes-{}", runtime.status_name()))
    else {
        return;
    };
    let all = plain(&cluster);
    let six = IpAddr::from(Ipv6Addr::LOCALHOST);
    let time = |cluster: &mut Cluster, silent: &[IpAddr]| {
        let leads = |(name, at): &(String, SocketAddr)| {
            (name.clone(), silent.iter().copied().chain([at.ip()]).collect())
        };
        names.lead(&all.iter().map(leads).collect::<Vec<_>>());
        let begun = Instant::now();
        restart_by_name(cluster);
        serves(cluster);
        begun.elapsed()
    };
    let alone = time(&mut cluster, &[]);
    let mut holes = Vec::new();
    let mut ports: Vec<u16> = all.iter().map(|(_, at)| at.port()).collect();
    ports.push(cluster.front().licence().port());
    // Each server has an address of its own, and two may have one port.
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        holes.push(Hole::at((six, port).into()));
        holes.push(Hole::at((SILENT, port).into()));
    }
    let behind_six = time(&mut cluster, &[six]);
    let third = time(&mut cluster, &[six, SILENT.into()]);
    println!(
        "served after {alone:.2?}; behind a silent IPv6 address {behind_six:.2?}; as the third {third:.2?}"
    );

    // A client finds a front by name in the same way.
    let front = cluster.front().licence();
    let mut leads: Vec<_> = all.iter().map(|(name, at)| (name.clone(), vec![at.ip()])).collect();
    leads.push(("licence.test".to_owned(), vec![six, SILENT.into(), front.ip()]));
    names.lead(&leads);
    let server = format!("licence.test:{}", front.port());
    let listed = cluster.program().run(["client", "--server", &server, "list"]).expect(0).out;
    assert!(listed.contains("201"), "{listed}");
    drop(holes);
}

fn a_name_that_moves_is_followed(runtime: Runtime) {
    let Some((mut cluster, names)) = group(runtime, &format!("moves-{}", runtime.status_name()))
    else {
        return;
    };
    let mut leads: Vec<_> =
        plain(&cluster).into_iter().map(|(name, at)| (name, vec![at.ip()])).collect();
    names.lead(&leads);
    restart_by_name(&mut cluster);
    serves(&cluster);

    let there = IpAddr::from(Ipv4Addr::new(127, 66, 66, 66));
    cluster.backends[2].kill();
    leads[2].1 = vec![there];
    names.lead(&leads);
    cluster.restart_backend_with(2, |line| line.listen.set_ip(there));
    cluster.wait_whole(0);
}

fn a_name_without_an_answer_is_told_with_its_addresses(runtime: Runtime) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((mut cluster, names)) = group(runtime, &format!("silent-{}", runtime.status_name()))
    else {
        return;
    };
    let all = plain(&cluster);
    let port = all[1].1.port();
    let _hole = Hole::at((SILENT, port).into());
    let mut leads: Vec<_> = all.iter().map(|(name, at)| (name.clone(), vec![at.ip()])).collect();
    leads[1].1 = vec![SILENT.into()];
    leads.remove(2);
    names.lead(&leads);
    restart_by_name(&mut cluster);
    let admin = cluster.fronts[0].admin();
    for (row, words) in [(1, format!("{SILENT}:{port}: no answer within")), (2, name("backend", 2))]
    {
        status_until(admin, "a reason with the address", |status| {
            status["backends"][row]["trouble"].as_str()?.contains(&words).then_some(())
        });
    }
}
