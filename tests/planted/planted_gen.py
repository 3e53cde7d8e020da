import subprocess,os,sys
ROOT='/tmp/wt/planted'
A='core/src/backend/acceptor.rs'; F='core/src/front/'
B=[
('no-fence','A backend takes orders of a front whose epoch is below its promise.',
 [(A,"if epoch != self.promised || epoch == Epoch::default() {","if epoch == Epoch::default() {")]),
('one-is-enough','An entry counts as committed when one backend has it.',
 [(F+'mod.rs',"let need = if let Phase::Proving { need, .. } = self.phase { need } else { 2 };","let need = if let Phase::Proving { need, .. } = self.phase { need } else { 1 };")]),
('reads-one','A front that takes the lead reads one copy of the log and not two.',
 [(F+'claim.rs',"groups.iter().filter(|o| o == g).count() > 1)","groups.iter().any(|o| o == g))"),
  (F+'claim.rs',"if voters.count() < 2 {","if voters.count() < 1 {")]),
('lower-epoch-wins','Of two entries of one slot the one with the lower epoch is taken over.',
 [(F+'claim.rs',"had.epoch < stored.epoch);","had.epoch > stored.epoch);")]),
('says-before-fsync','A backend acknowledges entries before they are on its disk.',
 [('core/src/backend/mod.rs',"matches!(report, Report::Stored { .. } | Report::Promised(_) | Report::Described(_));","matches!(report, Report::Promised(_) | Report::Described(_));")]),
('promise-not-kept','A promise is not written to disk.',
 [(A,"                taken.records.push(Record::Promise(*epoch));\n","")]),
('told-before-durable','A backend describes a promise that is not on its disk yet.',
 [('core/src/backend/mod.rs',"matches!(report, Report::Stored { .. } | Report::Promised(_) | Report::Described(_));","matches!(report, Report::Stored { .. } | Report::Promised(_));")]),
('released-twice','A seat that is released twice makes two seats free.',
 [('core/src/log/state.rs',"        let Some(seat) = self.seats.remove(&handle) else { return Outcome::Nothing };","        let Some(seat) = self.seats.get(&handle).cloned() else { return Outcome::Nothing };")]),
('number-used-again','A front that takes the lead hands out handle numbers from the first one on.',
 [(F+'claim.rs',"let first = self.ledger.ahead().handles_reserved();\n        let last","let first = 0;\n        let last")]),
('number-too-early','Handle numbers are used before their block is committed.',
 [(F+'claim.rs',"self.block.take_if(|(slot, _)| *slot <= committed)","self.block.take_if(|(slot, _)| *slot > committed)")]),
('not-watched','A front that takes the lead does not watch the seats that are there.',
 [(F+'claim.rs',"        self.desk.take_over(now, self.ledger.ahead());\n","")]),
('property-forgotten','A property is left out when parts are compared.',
 [('core/src/licence/part.rs',"        let bytes = postcard::to_allocvec(&(self.firm_code, &self.text, self.key_check, product))","        let product = &Product { linger_time: None, ..product.clone() };\n        let bytes = postcard::to_allocvec(&(self.firm_code, &self.text, self.key_check, product))")]),
('blank-one-votes','A backend that lost its disk counts before it was taken in.',
 [(F+'claim.rs',"Some(standing) if member(&standing.disk) => peer.acked(),\n                _ => Slot(0),","Some(standing) => if member(&standing.disk) { peer.acked() } else { peer.acked() },\n                _ => Slot(0),"),
  (F+'claim.rs',"is_some_and(|standing| members.contains(&standing.disk))","is_some_and(|standing| members.contains(&standing.disk) || true)")]),
('kept-undelivered','A grant whose client has gone is kept.',
 [(F+'mod.rs','''            self.give_back(handle, "its number did not reach the client");''','''            let _ = handle;'''),
  (F+'flight.rs','''                    self.give_back(grant.handle, "its client went away");''','''                    let _ = grant;''')]),
('counted-before','Seats are counted on what is committed, not on what is proposed.',
 [(F+'clients.rs',"let ground = Ground { now, state: self.ledger.ahead(), catalogue: &self.joined.catalogue };\n        match","let ground = Ground { now, state: self.ledger.settled(), catalogue: &self.joined.catalogue };\n        match"),
  (F+'flight.rs',"        if let Outcome::Refused(refusal) = outcome {","        if let (Outcome::Refused(refusal), false) = (outcome, matches!(waits, Waits::Grant(_))) {")]),
('twin-gap','The standby takes entries that do not follow on what it has.',
 [(F+'twin/hear.rs',"if first > have.next() || self.state.is_some() {","if self.state.is_some() {"),
  (F+'twin/hear.rs',"usize::try_from(have.0 + 1 - first.0)","usize::try_from((have.0 + 1).saturating_sub(first.0))")]),
('no-correlation','A report is taken for the answer to the oldest order.',
 [(F+'peer.rs',"        self.asked.remove(&correlation)","        let _ = correlation;\n        self.asked.pop_first().map(|(_, asked)| asked)")]),
('tail-forgotten','A backend that takes a whole state forgets the entries behind it.',
 [(A,"        self.log = behind;\n","        drop(behind);\n")]),
('tail-cut-off','A log that is brought again in pieces cuts off what was behind the piece.',
 [(A,"        for (index, entry) in (self.index(first)..).zip(entries) {","        self.log.truncate(self.index(first));\n        for (index, entry) in (self.index(first)..).zip(entries) {")]),
('late-end','What a front left behind that another one has followed comes back to life.',
 [(F+'claim.rs',"self.ledger.propose(Entry::Configure(Setting::Leader(epoch)));","let _ = Setting::Leader(epoch);")]),
('one-part-agrees','A grant holds where one backend has a matching part.',
 [(F+'flight.rs',"self.agrees(i, slot, grant, flight.differs)).count() >= 2","self.agrees(i, slot, grant, flight.differs)).count() >= 1")]),
('never-silent','A front that no majority has confirmed goes on answering.',
 [(F+'clients.rs',"            && self.confirmed(now, CONFIRMED)\n",""),
  (F+'timing.rs',"if !self.confirmed(now, FENCE) && !self.silenced => {","if !self.confirmed(now, FENCE) && false => {")]),
('told-too-early','An access is answered before it is committed.',
 [(F+'flight.rs',"Waits::Grant(grant) if !grant.waits_for_disk() => {","Waits::Grant(grant) if self.uncommitted() < 10_000 => {")]),
]
def sh(*a,**k): return subprocess.run(a,cwd=ROOT,capture_output=True,text=True,**k)
TESTS=eval(open('/tmp/planted_tests.py').read()) if os.path.exists('/tmp/planted_tests.py') else {}
def make(name):
    for n,what,edits in B:
        if n!=name: continue
        for p,a,b in edits:
            s=open(f'{ROOT}/{p}').read()
            assert s.count(a)==1,(name,p,s.count(a))
            open(f'{ROOT}/{p}','w').write(s.replace(a,b))
        d=sh('git','diff','--','core','runtime-std','runtime-smol').stdout
        sh('git','checkout','--','core','runtime-std','runtime-smol')
        t=TESTS.get(n,'')
        open(f'{ROOT}/tests/planted/{n}.patch','w').write(f"{what}\n\nCaught by: {t}\n\n{d}")
if __name__=='__main__':
    for n,_,_ in B: make(n)
    print(len(B))
