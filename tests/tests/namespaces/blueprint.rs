//! The keepalived.conf that is shipped.

use crate::one_at_a_time;
use tmr_tests::harness::{Program, Runtime};
use tmr_tests::netns::{Adapted, FRONT, check, possible, put_scripts};

/// The whole configuration that is shipped, with both address families.
#[test]
fn keepalived_takes_the_blueprint_without_a_word() {
    let _one = one_at_a_time();
    let Some(mut network) = possible() else { return };
    let machine = network.machine("front").expect("namespaces can be made");
    for (interface, bridge, address) in
        [(FRONT, "clients", [192, 0, 2, 11]), ("back", "backends", [198, 51, 100, 11])]
    {
        network.plug("front", interface, bridge, address.into()).expect("cables can be laid");
    }
    let folder = network.folder().to_owned();
    let program = folder.join("tmrd");
    std::fs::copy(Program::of(Runtime::Threads).path(), &program).expect("it can be copied");
    put_scripts(&folder, &program);
    std::fs::write(folder.join("give-away"), "0\n").expect("a file can be written");
    for (advert, priority) in [("1", 150), ("0.1", 100)] {
        let (scripts, state) = (folder.clone(), folder.clone());
        let name = "front-a".into();
        let adapted = Adapted {
            name,
            priority,
            advert: advert.into(),
            program: program.clone(),
            scripts,
            state,
        };
        let text = adapted.text();
        assert_eq!(check(&machine, &folder, &text), (Some(0), String::new()), "{text}");
        let wrong = text.replace("nopreempt", "nopreemt");
        let (code, said) = check(&machine, &folder, &wrong);
        assert!(code != Some(0) && said.contains("nopreemt"), "{code:?}: {said}");
    }
}
