//! Orders to the servers of a [`Pair`], and servers that are killed, restarted and replaced. Every
//! method runs on the machine (the network namespace) of the server that it is about.
//!
//! What never lives here: keepalived, cables, and what must hold after an order (the tests in
//! `tests/tests/namespaces`, which also test this file).

use super::*;

impl Pair {
    /// Orders a front to lead by its admin page; a virtual address that moves meanwhile may
    /// overrule that.
    ///
    /// # Panics
    /// It does not accept the order.
    pub fn activate(&self, front: usize) {
        let answer = self.front(front).inside(|| post(ADMIN, "/api/activate"));
        let (code, body) = answer.expect("an answer");
        assert_eq!(code, 202, "{body}");
    }

    /// Runs `tmrd failover` on the machine of a front.
    ///
    /// # Panics
    /// The command fails.
    pub fn fail_over(&self, front: usize) {
        let program = self.fronts[front].program();
        self.front(front).inside(|| program.run(["failover"])).expect(0);
    }

    /// Runs `tmrd failover` on the machine of a front; returns the exit code and the standard
    /// error.
    ///
    /// # Panics
    /// The command does not start.
    #[must_use]
    pub fn order_failover(&self, front: usize) -> (Option<i32>, String) {
        let program = self.fronts[front].program();
        let finished = self.front(front).inside(|| program.run(["failover"]));
        (finished.code, finished.err)
    }

    /// Runs `tmrd notify` on the machine of a front, as keepalived does.
    ///
    /// # Panics
    /// The command fails.
    pub fn notify(&self, front: usize, words: &str) {
        let program = self.fronts[front].program();
        let line = ["notify"].into_iter().chain(words.split(' '));
        self.front(front).inside(|| program.run(line)).expect(0);
    }

    /// Does the same with a process that starts before `meanwhile`, and continues after it.
    ///
    /// # Panics
    /// The command fails.
    pub fn notify_late(&self, front: usize, words: &str, meanwhile: impl FnOnce()) {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("read go; exec \"$0\" notify {words}"));
        shell.arg(self.fronts[front].program().path()).stdin(Stdio::piped());
        let mut begun = self.front(front).inside(|| shell.spawn()).expect("a shell");
        meanwhile();
        drop(begun.stdin.take());
        assert!(begun.wait().expect("its end").success(), "{words}");
    }

    /// Waits until a front states whether (`could`) the other machine could take the virtual
    /// address; returns the reason why not.
    ///
    /// # Panics
    /// It does not within a minute.
    #[track_caller]
    pub fn wait_other_could_take(&self, front: usize, could: bool) -> String {
        within(LIMIT, "what is said of the other machine", || {
            let other = self.status(front)?["address"]["other"].take();
            (other["could_take"] == could)
                .then(|| other["reason"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Returns the codes of the troubles in a front's verdict.
    ///
    /// # Panics
    /// Its status has no verdict.
    #[must_use]
    pub fn troubles(&self, front: usize) -> Vec<String> {
        let status = self.status(front).expect("the front's status");
        let verdict = status["verdict"].as_array().expect("a verdict");
        verdict.iter().map(|row| row["code"].as_str().expect("a word").to_owned()).collect()
    }

    /// Writes the logs of all servers to standard error, to examine a round that took long.
    pub fn tell(&self) {
        for keepalived in &self.keepers {
            eprintln!("--- keepalived:\n{}", keepalived.log());
        }
        for server in self.fronts.iter().chain(&self.backends) {
            eprintln!("--- {}:\n{}", server.name(), server.log_text());
        }
    }

    /// Kills all five servers at the same moment.
    pub fn kill_everything(&mut self) {
        kill_all(self.backends.iter_mut().chain(&mut self.fronts));
    }

    /// Starts a front again.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart_front(&mut self, front: usize) {
        let arguments = self.front_arguments(front);
        let (space, server) = (&self.spaces[&front_name(front)], &mut self.fronts[front]);
        space.inside(|| server.restart(&arguments)).unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Kills backend 1, 2 or 3 and deletes its state folder.
    ///
    /// # Panics
    /// The folder cannot be deleted.
    pub fn lose_backend(&mut self, part: usize) {
        self.backends[part - 1].kill();
        fs::remove_dir_all(self.workshop.state(part)).expect("its state can be deleted");
    }

    /// Starts backend 1, 2 or 3 again.
    ///
    /// # Panics
    /// It does not start.
    pub fn restart_backend(&mut self, part: usize) {
        let arguments = self.backend_arguments(part);
        let (space, server) = (&self.spaces[&backend_name(part)], &mut self.backends[part - 1]);
        space.inside(|| server.restart(&arguments)).unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Stops backend 1, 2 or 3 and starts it with another program.
    ///
    /// # Panics
    /// It does not start.
    pub fn replace_backend(&mut self, part: usize, program: &Program, state: State) {
        let arguments = self.backend_arguments(part);
        let folder = BackendLine::of(&self.workshop, part).state;
        let empty = || {
            if state == State::Emptied {
                fs::remove_dir_all(&folder).expect("a state folder");
            }
        };
        let (space, server) = (&self.spaces[&backend_name(part)], &mut self.backends[part - 1]);
        let replaced = space.inside(|| server.become_program(program, &arguments, empty));
        replaced.unwrap_or_else(|end| panic!("{end:?}"));
    }

    /// Stops a front and starts it with another program.
    ///
    /// # Panics
    /// It does not start.
    pub fn replace_front(&mut self, front: usize, program: &Program) {
        let arguments = self.front_arguments(front);
        let (space, server) = (&self.spaces[&front_name(front)], &mut self.fronts[front]);
        let replaced = space.inside(|| server.become_program(program, &arguments, || ()));
        replaced.unwrap_or_else(|end| panic!("{end:?}"));
    }
}
