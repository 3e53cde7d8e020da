//! `backend` and `serve`: make a node and its setup from files and options, and run it.

use crate::commands::cli;
use crate::entropy;
use crate::exit::{Failure, Outcome};
use crate::host::admin_files::AdminFiles;
use crate::host::container::{self, ContainerFolder};
use crate::host::disk::{Folder, FolderError};
use crate::host::history::{HistoryWriter, ShutdownFlush};
use crate::host::key_kind::KeyKind;
use crate::host::licences::Licences;
use crate::host::log_file::Reserved;
use crate::host::machine::{self, SocketCleanup};
use crate::host::node_setup::{NodeSetup, Worker, Workers};
use crate::host::settings::{self, Settings};
use crate::host::{files, log, names, process_limits, signals, systemd, vip};
use crate::reactor::connections::Connections;
use crate::reactor::listen::{self, ListenAt};
use crate::reactor::tls::Tls;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use tmr_core::backend::{self, Backend};
use tmr_core::base::network::Address;
use tmr_core::front::{self, Front};
use tmr_core::history::Server;
use tmr_core::link::Listener;
use tmr_core::node::Node;
use tmr_core::node::hub::Hub;
use tmr_core::service::{HandleKey, Identity};

/// A runtime: its name, and its adapter.
#[derive(Clone, Copy, Debug)]
pub struct Runtime {
    /// The name of the program: `tmrd` or `tmrd-std`.
    pub program: &'static str,
    /// The name in the status: `smol` or `threads`.
    pub name: &'static str,
    /// Runs a setup until the process ends.
    pub run: fn(NodeSetup) -> Outcome,
}

impl Runtime {
    /// Returns the identity of a server that listens there.
    fn identity(&self, listener: &TcpListener) -> Identity {
        let address = listen::reached_at(listener);
        Identity { name: names::host_name(), runtime: self.name, address }
    }
}

/// Runs a backend.
///
/// # Errors
/// It cannot start; every file is checked before the server listens.
pub fn backend(runtime: Runtime, options: &cli::Backend) -> Outcome {
    let cleanup = SocketCleanup::default();
    begin(&options.watched, &ShutdownFlush::default(), &cleanup)?;
    let mut reserved = vec![("the group key", options.group_key.clone())];
    reserved.extend(options.issuer.iter().map(|path| ("the issuer's key", path.clone())));
    reserved.extend(options.license.iter().map(|path| ("a licence file", path.clone())));
    log::begin(&options.logging.log(), &Reserved::new(&options.state, reserved));
    let group = files::group_key(&options.group_key)?;
    let issuers = each(&options.issuer, files::issuer_key)?;
    KeyKind::expect_public(&options.issuer, &options.license)?;
    let first = !options.state.join("journal").exists();
    let licences = Licences::open(&options.license, issuers, first)?;
    let folder = Folder::open(&options.state)?;
    // Its lock is held until the process ends.
    let container = container(options, first)?;
    let licences = match &container {
        OwnContainer::Open(container) => {
            let serial = container.identity().keys().serial();
            tracing::info!(
                target: "tmr_runtime_std::daemon::container",
                "this backend has container 130-{serial}"
            );
            licences
        }
        OwnContainer::Unusable(failure) => licences.without_container(failure),
    };
    let journal = folder.journal()?;
    let at = |kind, what, at: &Address| ListenAt { kind, what, at: at.clone() };
    let licence = at(Listener::Licence, "the licence port", &options.listen);
    let admin = options.admin.as_ref().map(|admin| at(Listener::Admin, "the admin port", admin));
    let listeners = listen::open(&[licence].into_iter().chain(admin).collect::<Vec<_>>())?;
    let machine = Some(machine::Watch::open(&options.state, &cleanup));
    let identity = runtime.identity(&listeners[0].1);
    let (group_check, handle_key) = (group.check(), HandleKey::of_group(&group));
    let seed = entropy::fresh();
    let containers = licences.containers();
    let config = backend::Config { identity, containers, group_check, handle_key, seed };
    let (node, keep) = Backend::open(config, journal.as_deref())
        .map_err(|error| files::wrong(&folder.path("journal"), error))?;
    let node = match options.clients.clone() {
        Some(networks) => node.with_clients(networks),
        None => node,
    };
    let journal = Some(folder.write_journal(keep)?);
    let hub = hub(Node::Backend(Box::new(node)));
    announce(&listeners);
    let looks = licences.source(options.state.clone(), needed(options));
    let others: Vec<(&str, Worker)> = vec![("licences", looks)];
    let workers = Workers { machine, journal, others, ..Workers::default() };
    let connections = Connections { group, front: None, tls: Tls::default() };
    let ended = (runtime.run)(NodeSetup { hub, listeners, connections, workers });
    drop(container);
    ended
}

/// The container of a backend that starts.
enum OwnContainer {
    /// It is there, and locked.
    Open(Box<ContainerFolder>),
    /// The backend has to do without.
    Unusable(Failure),
}

/// Opens the container of a backend. `first`: it has never run with its state folder.
///
/// # Errors
/// Another process has the container; or it cannot be used, and the backend has nothing yet that its
/// group needs.
fn container(options: &cli::Backend, first: bool) -> Result<OwnContainer, Failure> {
    let path = options.container.clone().unwrap_or_else(|| container::beside(&options.state));
    match ContainerFolder::open(&path) {
        Ok(container) => Ok(OwnContainer::Open(Box::new(container))),
        // A backend that has run before is a member of its group, and the others need its disk.
        Err(FolderError::Refused(failure)) if !first => Ok(OwnContainer::Unusable(failure)),
        Err(FolderError::Refused(failure)) if options.container.is_none() => {
            let text = format!("{failure} (--container names another folder)");
            Err(Failure { text, ..failure })
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns a check of the files that only a start reads; it returns what would prevent or change
/// the next start.
fn needed(options: &cli::Backend) -> impl Fn() -> Vec<Failure> + Send + 'static {
    let (group, issuers) = (options.group_key.clone(), options.issuer.clone());
    let licences = options.license.clone();
    move || {
        let mut wrong: Vec<Failure> =
            issuers.iter().filter_map(|path| files::issuer_key(path).err()).collect();
        if wrong.is_empty() {
            wrong.extend(KeyKind::expect_public(&issuers, &licences).err());
        }
        wrong.extend(files::group_key(&group).err());
        wrong
    }
}

/// Runs a front.
///
/// # Errors
/// It cannot start; every file that it needs is checked before the server listens.
pub fn serve(runtime: Runtime, options: &cli::Serve) -> Outcome {
    let (shutdown_flush, cleanup) = (ShutdownFlush::default(), SocketCleanup::default());
    begin(&options.watched, &shutdown_flush, &cleanup)?;
    let (text, config) = files::config(&options.config)?;
    let paths = (&*options.config, &*options.state);
    let reserved = settings::reserved(paths, &config);
    log::begin(&settings::logging(&options.config, &config), &reserved);
    let group = files::group_key(&files::beside(&options.config, &config.group_key_file))?;
    let folder = Folder::open(&options.state)?;
    let listeners = listen::open(&settings::listen_at(&config))?;
    let machine = Some(machine::Watch::open(&options.state, &cleanup));
    let mut identity = runtime.identity(&listeners[0].1);
    let begun = (text, config.clone());
    let settings = Settings::new(paths, begun, group.clone(), identity.address)?;
    if let Some(address) = config.virtual_ips.first() {
        identity.address = *address;
    }
    let server = Server { name: identity.name.clone(), address: identity.address };
    let mut history = HistoryWriter::new(settings::history(paths, &config), server, shutdown_flush);
    let admin_files = AdminFiles::open(settings.admin_paths(), &folder);
    let others = vec![("folder", folder.watch())];
    let address = Some(vip::Watch::new(settings.addresses(), folder));
    let front = entropy::id();
    let mut node = Front::new(front::Config {
        identity,
        front,
        backends: config.backends,
        retry: config.retry,
        unfenced: config.unfenced,
        virtuals: config.virtuals,
        cleanup: config.cleanup,
        policy: config.policy,
        twin: Some(config.twin),
        handle_key: HandleKey::of_group(&group),
        seed: entropy::fresh(),
    })
    .with_entrance(admin_files.access());
    history.remind(&mut node);
    let hub = hub(Node::Front(Box::new(node)));
    announce(&listeners);
    let connections = Connections { group, front: Some(front), tls: admin_files.tls() };
    let (settings, admin_files, history) = (Some(settings), Some(admin_files), Some(history));
    let journal = None;
    let workers = Workers { machine, journal, address, admin_files, settings, history, others };
    (runtime.run)(NodeSetup { hub, listeners, connections, workers })
}

/// Makes a hub with room for as many links as this process may have files.
fn hub(node: Node) -> Hub {
    process_limits::leave_no_core();
    let files = process_limits::raise_file_limit();
    Hub::new(node).with_clients_max(process_limits::clients_max(files)).with_files_max(files)
}

/// Does what every server does first.
fn begin(
    watched: &cli::Watched,
    shutdown_flush: &ShutdownFlush,
    cleanup: &SocketCleanup,
) -> Outcome {
    log::start();
    let (last, left) = (shutdown_flush.clone(), cleanup.clone());
    signals::survive_file_limit()?;
    signals::on_stop(move || {
        tracing::info!(target: "tmr_runtime_std::daemon::roles", "told to stop");
        systemd::stopping();
        last.say();
        left.remove();
        std::process::exit(0);
    })?;
    if watched.die_with_parent {
        let (last, left) = (shutdown_flush.clone(), cleanup.clone());
        signals::die_with_parent(move || {
            last.say();
            left.remove();
        })?;
    }
    Ok(())
}

fn each<T>(
    paths: &[impl AsRef<Path>],
    read: impl Fn(&Path) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    paths.iter().map(|path| read(path.as_ref())).collect()
}

/// Reports to the parent process and to systemd that the server listens, and where.
pub(super) fn announce(listeners: &[(Listener, TcpListener)]) {
    let mut line = String::from("listening");
    for (kind, listener) in listeners {
        let name = listen::name(*kind);
        if let Ok(at) = listener.local_addr() {
            line.push_str(&format!(" {name}={at}"));
        }
    }
    let mut out = io::stdout().lock();
    // A server whose standard output is closed serves all the same.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    systemd::ready(&line);
}
