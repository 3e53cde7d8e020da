//! An operator who changes the configuration of fronts while they run. The machine of a front puts
//! a configuration that the front stores into force after a moment, or refuses it.

use super::event::Event;
use super::world::{FRONTS, HOSTS, NAMES, SECOND, World};
use tmr_core::config::{Config, InForce};
use tmr_core::io::{ConfigNotStored, ConfigStoreResult, FrontEvent};

impl World {
    /// Changes a front's file, which the front then reads. Returns the pause until the next change.
    pub(super) fn edit(&mut self) -> Option<u64> {
        let mut editor = self.operator.edits.take()?;
        let front = editor.index(self.plan.fronts);
        let before = self.hosts[front].config.file.as_ref();
        let known = before.and_then(|text| Config::parse(text).ok()).map_or(0, |it| it.revision);
        // Mostly the revision rises, as by the web admin; otherwise the fronts may differ for a
        // while.
        let revision = if editor.chance(80) { known + 1 } else { known };
        // No time exceeds that of the plan, so that the bounds of the checks stay valid.
        let retry = editor.between(1, self.plan.waits.retry);
        let connect = editor.between(1, self.plan.waits.connect);
        let transfer = editor.between(1, self.plan.waits.transfer);
        // Another port of a backend is the same machine at another address.
        let mut servers: Vec<String> = NAMES[FRONTS..HOSTS]
            .iter()
            .map(|name| {
                let port = if editor.chance(70) { 1 } else { 2 };
                format!(r#"{{ "Ip": "{name}", "Port": {port} }}"#)
            })
            .collect();
        servers.rotate_left(editor.index(3));
        let timing = [retry, connect, transfer];
        self.write(front, revision, timing, &servers.join(", "));
        self.after(editor.span(1000, SECOND), Event::Reload { host: front });
        let pause = editor.span(SECOND / 100, 15 * SECOND);
        self.operator.edits = Some(editor);
        Some(pause)
    }

    /// Changes a front's list of backends, by hand or, with `anew`, as the web admin does. Without
    /// a twin no file is read.
    pub(super) fn list(&mut self, front: usize, names: &[String; 3], anew: bool) {
        if self.plan.fronts < FRONTS {
            return;
        }
        let before = self.hosts[..FRONTS].iter().filter_map(|host| host.config.file.as_ref());
        let known = before.filter_map(|text| Config::parse(text).ok()).map(|it| it.revision).max();
        let revision = known.unwrap_or_default() + u32::from(anew);
        let timing = [self.plan.waits.retry, self.plan.waits.connect, self.plan.waits.transfer];
        let servers = names.each_ref().map(|name| format!(r#"{{ "Ip": "{name}", "Port": 1 }}"#));
        self.trace(|| format!("{} has the list {names:?}", NAMES[front]));
        self.write(front, revision, timing, &servers.join(", "));
        self.at(self.now, Event::Reload { host: front });
    }

    /// Writes the file of a front. `timing`: the pause before a backend is dialled again, and the
    /// time-outs for the twin.
    fn write(&mut self, front: usize, revision: u32, timing: [u64; 3], servers: &str) {
        let [retry, connect, transfer] = timing;
        let twin = NAMES[1 - front];
        let virtual_ip = if self.plan.address { r#""192.0.2.42""# } else { "" };
        let text = format!(
            r#"{{ "TmrServer": {{ "Revision": {revision}, "CleanUpTimeInSeconds": 30,
  "VirtualIp": [{virtual_ip}],
  "TwinServer": {{ "Ip": "{twin}", "Port": 2, "ConnectTimeoutInSeconds": {connect},
    "TransferTimeoutInSeconds": {transfer} }} }},
  "CmServer": {{ "NetworkRetryIntervalInSeconds": {retry}, "Server": [ {servers} ] }} }}"#
        );
        self.trace(|| format!("{} is configured anew, revision {revision}", NAMES[front]));
        self.hosts[front].config.file = Some(text);
    }

    /// Gives a front the contents of its file, if it has one.
    pub(super) fn configure(&mut self, host: usize) {
        let state = &mut self.hosts[host];
        let Some(text) = state.config.file.clone() else { return };
        state.config.in_force = Some(text.clone());
        let config = Config::parse(&text).expect("a configuration that a front takes");
        let (path, address) = ("tmrconf.json".to_owned(), state.ip);
        let new = FrontEvent::Configured(Box::new(InForce { config, text, path, address }));
        self.with(host, |hub, now, out| hub.host_event(now, new.into(), out));
    }

    /// Handles a front's request to store this configuration.
    pub(super) fn wants_stored(&mut self, host: usize, text: String) {
        let life = self.hosts[host].process.life;
        let Some(editor) = &mut self.operator.edits else { return };
        let wait = editor.span(1000, SECOND / 2);
        let refused = editor.chance(10) && self.faults.on;
        self.after(wait, Event::Store { host, life, text: (!refused).then_some(text) });
    }

    /// Stores the configuration, or refuses. A file that was changed by hand and is not in force is
    /// not overwritten, nor is a later configuration.
    pub(super) fn store(&mut self, host: usize, text: Option<String>) {
        let state = &self.hosts[host];
        let parse =
            |text: &String| Config::parse(text).expect("a configuration that a front takes");
        let in_force = state.config.in_force.as_ref().map(parse);
        let text = text.filter(|text| {
            let later = in_force.as_ref().is_none_or(|it| parse(text).supersedes(it));
            state.config.file == state.config.in_force && later
        });
        let stored: ConfigStoreResult = match text {
            Some(text) => {
                self.hosts[host].config.file = Some(text);
                self.configure(host);
                Ok(Vec::new())
            }
            None => Err(ConfigNotStored {
                file: "tmrconf.json".to_owned(),
                reason: "it was changed by hand".to_owned(),
            }),
        };
        let stored = FrontEvent::ConfigStored(stored);
        self.with(host, |hub, now, out| hub.host_event(now, stored.into(), out));
    }
}
