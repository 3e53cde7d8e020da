//! The messages during faults: each fault is caused for real, and the texts of `tmrd status`, `tmrd
//! doctor` and the head of the page are a snapshot. A reader of the snapshot judges whether an
//! operator understands at once what is wrong and what to do.
//!
//! Addresses, folders and dates are replaced by names.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_tests::harness::{
    Clock, Cluster, FIRM_CODE, Runtime, SEATS, Server, TMR, give_back, list_servers, missing,
    status_until, take, until,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::independent_client::error::NO_MORE_LICENSES;

/// A product that ended yesterday.
const ENDED: u32 = 802;

/// The texts that were read so far, in the form of the snapshot.
#[derive(Default)]
struct Told(String);

impl Told {
    /// Waits until the verdict of the first front has exactly these codes, each at least once, and
    /// contains these words. Then reads the page, `tmrd status` and `tmrd doctor`.
    #[track_caller]
    fn read(&mut self, fault: &str, cluster: &Cluster, codes: &[&str], words: &str) {
        let admin = cluster.front().admin();
        let seen = |status: &Value| -> Option<Vec<String>> {
            let all = status["verdict"].as_array()?.iter();
            let mut found: Vec<String> =
                all.filter_map(|it| Some(it["code"].as_str()?.to_owned())).collect();
            found.dedup();
            Some(found)
        };
        let status = status_until(admin, &format!("{fault}: {codes:?}"), |status| {
            let text = status["verdict"].to_string();
            // The end of a connection is reported until the next attempt.
            let settled = text.contains(words) && !text.contains("closed by the peer");
            (seen(status)? == codes && settled).then(|| status.clone())
        });
        // The head of the page, line by line.
        let page: Vec<String> = status["verdict"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| format!("{} {}", text(&it["text"]), text(&it["what_to_do"])))
            .collect();
        let program = cluster.program();
        let folder = cluster.workshop().folder();
        let (config, state) = (folder.join("tmrconf-0.json"), folder.join("front-0"));
        // The socket is for programs of the front's own machine, so the command needs no password.
        let socket = state.join("admin.sock");
        let shown = program.run(["status".as_ref(), "--admin".as_ref(), socket.as_os_str()]);
        let red = status["verdict"].as_array().is_some_and(|all| all.iter().any(is_red));
        assert_eq!(shown.code, Some(i32::from(red)), "{fault}: {shown:?}");
        let head: Vec<&str> = shown
            .out
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with("twin ") && !line.is_empty())
            .collect();
        let done = program.run([
            "doctor".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--state".as_ref(),
            state.as_os_str(),
            "--json".as_ref(),
        ]);
        assert_eq!(done.code, Some(i32::from(red)), "{fault}: {done:?}");
        let found: Value = serde_json::from_str(&done.out).expect("one JSON value");
        let bad =
            found["findings"].as_array().into_iter().flatten().filter(|it| it["level"] != "ok");
        // The state of this machine's own time service is not a fault of the group.
        let bad = bad.filter(|it| !text(&it["what"]).contains("this machine's clock"));
        let bad: Vec<String> = bad
            .map(|it| {
                format!(
                    "{} {}: {}\n  -> {}",
                    text(&it["level"]),
                    text(&it["topic"]),
                    text(&it["what"]),
                    text(&it["todo"])
                )
            })
            .collect();
        let all = format!(
            "# {fault}\n## tmrd status\n{}\n## tmrd doctor\n{}\n## page\n{}\n\n",
            head.join("\n"),
            bad.join("\n"),
            page.join("\n")
        );
        self.0.push_str(&named(cluster, &all));
    }

    /// Reads the verdict of another server by `tmrd status`.
    fn read_at(&mut self, fault: &str, cluster: &Cluster, server: &Server) {
        let url = format!("http://{}", server.admin());
        let shown = cluster.program().run(["status", "--admin", &url]);
        let lines = shown.out.lines().filter(|line| {
            line.contains(": ") && (line.starts_with("red") || line.starts_with("yellow"))
                || line.starts_with("  -> ")
        });
        let lines: Vec<&str> = lines.collect();
        let _ = write!(self.0, "# {fault}\n{}\n\n", named(cluster, &lines.join("\n")));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn is_red(trouble: &Value) -> bool {
    trouble["severity"] == "red"
}

/// Returns the text with names in place of values that differ in each run.
fn named(cluster: &Cluster, told: &str) -> String {
    let mut names = Vec::new();
    for (number, backend) in cluster.backends.iter().enumerate() {
        names.push((backend.licence().to_string(), format!("backend-{}:22350", number + 1)));
    }
    for front in 0..2 {
        names
            .push((cluster.twin_listener(front).to_string(), format!("front-{}:22354", front + 1)));
    }
    names.push((cluster.workshop().folder().display().to_string(), "/etc/tmrd".to_owned()));
    // The longest address is replaced first, because a port may be the beginning of another one.
    names.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    let told = names.iter().fold(told.to_owned(), |told, (from, to)| told.replace(from, to));
    let words = told.split_inclusive([' ', '\n']);
    words
        .map(|word| if is_date(word) { word.replace(date(word), "DATE") } else { word.to_owned() })
        .collect()
}

/// Returns whether a word begins with an RFC 3339 date.
fn is_date(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[19] == b'Z'
}

fn date(word: &str) -> &str {
    &word[..20]
}

fn up(cluster: &Cluster) {
    status_until(cluster.front().admin(), "all to be well again", |status| {
        (status["verdict"].as_array()?.is_empty()).then_some(())
    });
}

#[test]
fn what_fails_and_comes_back_is_told_so_that_one_knows_what_to_do() {
    let mut told = Told::default();
    let mut cluster = Cluster::of(Runtime::Smol).twin().start();
    up(&cluster);
    cluster.backends[2].kill();
    told.read("a backend is killed", &cluster, &["backend-down"], "Connection refused");
    cluster.backends[1].kill();
    told.read("two backends are killed", &cluster, &["backend-down"], "Connection refused");
    cluster.restart_backend(1);
    cluster.restart_backend(2);
    cluster.wait_whole(0);
    up(&cluster);

    cluster.backends[2].freeze();
    told.read("a backend hangs", &cluster, &["backend-down"], "silent");
    cluster.backends[2].resume();
    up(&cluster);

    cluster.fronts[1].kill();
    told.read("the other front is killed", &cluster, &["twin-down"], "Connection refused");
    cluster.restart_front_with(1, |value| value["TmrServer"]["HandleBinding"] = "none".into());
    told.read(
        "the other front has another configuration",
        &cluster,
        &["twin-differs"],
        "HandleBinding",
    );
    cluster.fronts[1].kill();
    let other = cluster.workshop().folder().join("other.key");
    cluster.program().run(["keygen".as_ref(), other.as_os_str()]).expect(0);
    cluster.restart_front_with(1, |value| {
        value["TmrServer"]["GroupKeyFile"] = other.display().to_string().into();
    });
    told.read(
        "the other front has another group key",
        &cluster,
        &["twin-down"],
        "another key there",
    );
    cluster.fronts[1].kill();
    cluster.restart_front(1);
    up(&cluster);

    // All seats are taken, and one more is requested.
    let mut client = cluster.client();
    let ask = |pid: u32| {
        let mut ask = AccessRequest::new(FIRM_CODE, TMR);
        ask.person.pid = pid;
        ask
    };
    for pid in 0..SEATS {
        take(&mut client, &ask(pid)).expect("a reply").expect("a free seat");
    }
    assert_eq!(take(&mut client, &ask(90)).expect("a reply"), Err(NO_MORE_LICENSES));
    told.read(
        "all seats are taken, and a request is denied",
        &cluster,
        &["seats-used-up"],
        "refused",
    );
    insta::assert_snapshot!(told.0);
}

#[test]
fn files_and_dates_that_are_wrong_are_told_so_that_one_knows_what_to_do() {
    let mut told = Told::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let end = rfc3339::format(Wall(now - 86_400));
    let ended =
        json!({ "ProductCode": ENDED, "LicenseQuantity": 5, "TmrId": 1, "ExpirationTime": end });
    let mut cluster = Cluster::of(Runtime::Smol).twin().product(ended).start();
    told.read("a licence has ended", &cluster, &["licence-expired"], "expired");

    let workshop = cluster.workshop();
    fs::copy(workshop.licence(1), workshop.licence(3)).expect("a licence can be copied");
    told.read(
        "a licence file is copied",
        &cluster,
        &["licence-expired", "part-copied"],
        "same part",
    );
    // A licence that was issued from another specification, without the second product.
    let mut fewer = tmr_tests::harness::specification(&[(TMR, SEATS)]);
    fewer["Products"].as_array_mut().expect("a list").retain(|it| it["ProductCode"] != ENDED);
    workshop.reissue(&fewer, 3, "licences");
    told.read(
        "a part misses a product",
        &cluster,
        &["licence-expired", "licence-two-parts"],
        "missing in part 3",
    );

    cluster.fronts[0].kill();
    let (chain, key) = expired_certificate(cluster.workshop().folder());
    fs::write(cluster.password_file(0), "opreator:oops\n").expect("a file can be written");
    let certified = chain.is_file();
    cluster.restart_front_with(0, |config| {
        if certified {
            config["WebAdmin"]["CertificateChainFile"] = chain.display().to_string().into();
            config["WebAdmin"]["PrivateKeyFile"] = key.display().to_string().into();
        }
    });
    if missing(certified, "openssl and faketime") {
        return;
    }
    cluster.activate(0);
    told.read(
        "papers of the admin pages are broken",
        &cluster,
        &["certificate-ended", "licence-expired", "file-unusable", "licence-two-parts"],
        "HASH",
    );
    insta::assert_snapshot!(told.0);
}

/// Makes a certificate that ended long ago, and its key. Makes no files if this machine lacks the
/// tools.
fn expired_certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (chain, key) = (folder.join("ended.pem"), folder.join("ended.key"));
    let made = Command::new("faketime")
        .args(["2020-01-01", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=tmr", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&chain)
        .stderr(Stdio::null())
        .status();
    let _ = made;
    (chain, key)
}

#[test]
fn disks_that_are_wrong_are_told_so_that_one_knows_what_to_do() {
    let mut told = Told::default();
    let mut cluster = Cluster::of(Runtime::Smol).start();
    // Only front 0 runs: the other front is missing in all of these texts.
    let (second, third) = (cluster.backends[1].licence(), cluster.backends[2].licence());
    let own = [cluster.workshop().backend_ip(1), cluster.workshop().ip()];
    cluster.backends[0].kill();
    cluster.restart_backend_with(0, |line| line.listen = ([0, 0, 0, 0], 0).into());
    let port = cluster.backends[0].licence().port();
    let twice = own.map(|ip| std::net::SocketAddr::new(ip, port));
    cluster.reload_front_with(0, |value| list_servers(value, &[twice[0], second, twice[1]]));
    told.read_twice("one backend is listed twice", &cluster, &twice);
    cluster.reload_front_with(0, |value| list_servers(value, &[twice[0], second, third]));
    cluster.wait_whole(0);

    // Two state folders are lost.
    for index in [1, 2] {
        cluster.backends[index].kill();
        cluster.wipe(index);
    }
    for index in [1, 2] {
        cluster.restart_backend(index);
    }
    let admin = cluster.front().admin();
    status_until(admin, "the front to say that memory is lost", |status| {
        status["obstacle"].is_string().then_some(())
    });
    told.read_twice("two state folders are empty", &cluster, &twice);
    insta::assert_snapshot!(told.0);
}

impl Told {
    /// Waits until the verdict of a front without a twin, one of whose backends has two addresses,
    /// contains a problem of a backend and does not change any more. Then reads it like
    /// [`read`](Self::read).
    #[track_caller]
    fn read_twice(&mut self, fault: &str, cluster: &Cluster, twice: &[std::net::SocketAddr; 2]) {
        let admin = cluster.front().admin();
        let mut before = Vec::new();
        let codes = until("a verdict that stays", || {
            let status = tmr_tests::harness::get_json(admin, "/api/status").ok()?;
            let all = status["verdict"].as_array()?;
            let mut codes: Vec<String> =
                all.iter().filter_map(|it| Some(it["code"].as_str()?.to_owned())).collect();
            codes.dedup();
            let told =
                codes.iter().any(|code| code.starts_with("backend-") || code == "cannot-lead");
            let stays = before.len() > 20 && before.iter().rev().take(20).all(|it| *it == codes);
            before.push(codes.clone());
            (told && stays).then_some(codes)
        });
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        self.read(fault, cluster, &codes, "");
        self.0 =
            twice.iter().enumerate().fold(std::mem::take(&mut self.0), |told, (number, at)| {
                told.replace(&at.to_string(), &format!("backend-1{}:22350", ["", "-again"][number]))
            });
    }
}

#[test]
fn a_clock_that_is_off_is_told_so_that_one_knows_what_to_do() {
    let mut told = Told::default();
    let mut cluster = Cluster::of(Runtime::Smol).twin().start();
    let clock = Clock::new(cluster.workshop().folder(), "backend-3");
    clock.wall(-2 * 86_400 - 3_600);
    let program = clock.on(cluster.program());
    cluster.replace_backend(2, &program);
    told.read("the clock of a backend is two days off", &cluster, &["clock-wrong"], "2 days");
    insta::assert_snapshot!(told.0);
}

/// A small disk mounted over a folder until this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None` if this machine does not permit the mount.
    fn at(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).ok()?;
        let line = ["-t", "tmpfs", "-o", "size=8m", "tmrd-test"];
        let done = Command::new("mount").args(line).arg(&folder).stderr(Stdio::null()).status();
        done.is_ok_and(|done| done.success()).then_some(Self(folder))
    }

    fn fill(&self) {
        let full = fs::write(self.0.join("full"), vec![0; 16 << 20]);
        assert!(full.is_err(), "there was room for more than there is");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_is_told_so_that_one_knows_what_to_do() {
    let mut told = Told::default();
    let mut cluster = Cluster::of(Runtime::Smol).twin().start();
    cluster.backends[2].kill();
    cluster.wipe(2);
    let disk = SmallDisk::at(cluster.workshop().state(3));
    if missing(disk.is_some(), "root, and a kernel that mounts") {
        return;
    }
    let disk = disk.expect("it was just looked at");
    cluster.restart_backend(2);
    cluster.wait_whole(0);
    until("the backend to be a member", || {
        let answer = tmr_tests::harness::get(cluster.backends[2].admin(), "/readyz").ok()?;
        (answer.0 == 200).then_some(())
    });
    disk.fill();
    until("the backend to tell of its disk", || {
        let status =
            tmr_tests::harness::get_json(cluster.backends[2].admin(), "/api/status").ok()?;
        text(&status["verdict"][0]["text"]).contains(": 0 MiB are left").then_some(())
    });
    told.read_at("the disk of a backend is full: at the backend", &cluster, &cluster.backends[2]);
    // The backend ends when a durable write fails for lack of space.
    let mut client = cluster.client();
    until("the backend to end", || {
        let taken = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).expect("a reply");
        give_back(&mut client, taken.expect("a free seat")).expect("a reply").expect("it is held");
        (!cluster.backends[2].runs()).then_some(())
    });
    told.read(
        "the disk of a backend is full, and it was written to",
        &cluster,
        &["backend-down"],
        "Connection refused",
    );
    drop(disk);
    insta::assert_snapshot!(told.0);
}
