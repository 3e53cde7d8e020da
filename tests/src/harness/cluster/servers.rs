//! How the servers of a cluster are started: their arguments, configurations and password files.

use super::*;

impl Cluster {
    /// The command line of backend 1, 2 or 3; port 0 lets the system choose.
    #[must_use]
    pub fn backend_arguments(&self, part: usize, port: u16, admin: u16) -> Vec<OsString> {
        self.backend_line(part, port, admin).arguments()
    }

    /// Returns the options of that command line, which a test may change.
    pub(in crate::harness) fn backend_line(
        &self,
        part: usize,
        port: u16,
        admin: u16,
    ) -> BackendLine {
        let mut line = BackendLine::of(&self.workshop, part);
        line.listen.set_port(port);
        line.admin = Some(SocketAddr::new(line.listen.ip(), admin));
        let second = self.builder.second.as_ref();
        line.second = second.map(|_| self.workshop.licence_in(Self::SECOND, part));
        line
    }

    /// Writes the configuration of a front and returns its command line.
    pub(in crate::harness) fn front_arguments(&self, front: usize, value: &Value) -> Vec<OsString> {
        let config = self.workshop.folder().join(format!("tmrconf-{front}.json"));
        fs::write(&config, value.to_string()).expect("a configuration can be written");
        let state = self.workshop.folder().join(format!("front-{front}"));
        ["serve".into(), "--config".into(), config.into(), "--state".into(), state.into()].into()
    }

    /// Returns the path of a front's password file, which does not exist at the start.
    #[must_use]
    pub fn password_file(&self, front: usize) -> PathBuf {
        self.workshop.folder().join(format!("admin-{front}.passwd"))
    }

    /// `tmrd password` for a front, and waits until that knows it.
    ///
    /// # Panics
    /// It does not within a minute.
    pub fn set_password(&self, front: usize, role: &str, password: &str) {
        let file = self.password_file(front);
        let mut command = self.program().command(["password", "--role", role]);
        command.arg(&file).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program was built, so it starts");
        let mut input = child.stdin.take().expect("its input is a pipe");
        writeln!(input, "{password}").expect("it reads a password");
        drop(input);
        assert!(child.wait().expect("it ends").success());
        until("the password to be known", || {
            let session = get_json(self.fronts[front].admin(), "/api/session").ok()?;
            (session[role] == true).then_some(())
        });
    }

    /// Returns the contents of a front's `tmrconf.json`.
    #[must_use]
    pub fn configuration(&self, front: usize, port: u16, admin: u16) -> Value {
        let ip = self.workshop.ip();
        let sample = json!({ "CmActId": CM_ACT_ID, "Serial": self.builder.serial });
        let mut virtuals = vec![sample];
        virtuals.extend(self.builder.virtuals.iter().cloned());
        let servers: Vec<Value> = self
            .backends
            .iter()
            .map(|server| server.licence())
            .map(|at| json!({ "Ip": at.ip(), "Port": at.port() }))
            .collect();
        json!({
            "TmrServer": {
                "Ip": ip, "Port": port,
                "TwinServer": { "Ip": ip, "Port": TWIN_PORTS[1 - front] },
                "TwinListen": { "Ip": ip, "Port": TWIN_PORTS[front] },
                "GroupKeyFile": self.workshop.group_key(),
            },
            "CmServer": {
                "NetworkRetryIntervalInSeconds": self.builder.retry,
                "Server": servers,
            },
            "WebAdmin": { "Ip": ip, "Port": admin, "PasswordFile": self.password_file(front) },
            "VirtualContainers": virtuals,
        })
    }

    /// Starts a front for the first time. The system may have given its twin port to one of
    /// its own other listeners meanwhile: the next attempt gets other ports for these.
    pub(super) fn start_front(&mut self, front: usize) {
        let arguments = self.front_arguments(front, &self.configuration(front, 0, 0));
        let program = Program::of(self.builder.fronts[front]);
        let program = match self.builder.before {
            Some(before) => program.after(before),
            None => program,
        };
        let mut tries =
            (0..TRIES).map(|_| self.server(&format!("front-{front}"), &program, &arguments));
        let clash = |started: &Result<Server, Finished>| matches!(started, Err(end) if end.err.contains("TmrServer.TwinListen"));
        let started = tries.find(|started| !clash(started)).expect("a port of its own");
        self.fronts.push(started.unwrap_or_else(|end| panic!("{end:?}")));
    }

    pub(super) fn server(
        &self,
        name: &str,
        program: &Program,
        arguments: &[OsString],
    ) -> Result<Server, Finished> {
        Server::start(name, self.workshop.folder(), program, arguments)
    }
}
