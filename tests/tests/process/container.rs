//! The container of a backend: made once, kept apart from the state, backed up and put back; a damaged
//! one is named, and never made anew.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tmr_tests::harness::{
    BackendLine, Cluster, Runtime, SEATS, Server, TMR, Workshop, specification, status_until,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_backend_makes_its_container_once_and_apart_from_its_state,
    a_copy_of_a_container_is_put_on_a_new_disk,
    a_backend_with_a_damaged_container_serves_and_names_it,
    a_first_start_is_refused_where_no_container_can_be_made,
    two_backends_cannot_have_one_container,
);

fn start(workshop: &Workshop, line: &BackendLine, container: Option<&Path>) -> Server {
    let arguments = arguments(line, container);
    Server::start("backend", workshop.folder(), workshop.program(), &arguments).unwrap()
}

fn arguments(line: &BackendLine, container: Option<&Path>) -> Vec<OsString> {
    let mut arguments = line.arguments();
    if let Some(container) = container {
        arguments.extend(["--container".into(), container.into()]);
    }
    arguments
}

fn shown(workshop: &Workshop, folder: &Path) -> Value {
    let folder = folder.to_str().unwrap();
    let line = ["container", "show", "--json", "--container", folder];
    serde_json::from_str(&workshop.program().run(line).expect(0).out).unwrap()
}

fn workshop(runtime: Runtime) -> (Workshop, PathBuf) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let folder = workshop.folder().join("state-1-container");
    (workshop, folder)
}

fn a_backend_makes_its_container_once_and_apart_from_its_state(runtime: Runtime) {
    let (workshop, folder) = workshop(runtime);
    let line = BackendLine::of(&workshop, 1);
    let mut backend = start(&workshop, &line, None);
    let one = shown(&workshop, &folder);
    assert_eq!(one["machine_bound"], false);
    assert!(one["serial"].as_str().unwrap().starts_with("130-"));
    let key = folder.join("container.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let text = workshop
        .program()
        .run(["container", "show", "--container", folder.to_str().unwrap()])
        .expect(0)
        .out;
    for name in ["serial", "signing", "sealing"] {
        assert!(text.contains(one[name].as_str().unwrap()), "{text}");
    }
    assert!(text.contains("machine-bound  no"), "{text}");
    assert!(!text.contains(fs::read_to_string(&key).unwrap().lines().nth(1).unwrap()), "{text}");
    backend.kill();
    // The state is lost, the container stays.
    fs::remove_dir_all(workshop.state(1)).unwrap();
    let backend = start(&workshop, &line, None);
    assert_eq!(shown(&workshop, &folder), one);
    let serial = one["serial"].as_str().unwrap();
    assert!(backend.log_text().contains(&format!("this backend has container {serial}")));
    drop(backend);
    // Another folder has another one.
    let other = workshop.folder().join("elsewhere/container");
    let line = BackendLine { state: workshop.folder().join("state-9"), ..line };
    let _backend = start(&workshop, &line, Some(&other));
    assert_ne!(shown(&workshop, &other)["serial"], one["serial"]);
}

fn a_copy_of_a_container_is_put_on_a_new_disk(runtime: Runtime) {
    let (workshop, folder) = workshop(runtime);
    let line = BackendLine::of(&workshop, 1);
    let mut backend = start(&workshop, &line, None);
    let one = shown(&workshop, &folder);
    let copy = workshop.folder().join("safe.container");
    let run = |words: &[&Path]| {
        let words = words.iter().map(|word| word.as_os_str().to_owned());
        workshop.program().run([OsString::from("container")].into_iter().chain(words))
    };
    let at = Path::new("--container");
    let (export, import) = (Path::new("export"), Path::new("import"));
    run(&[export, &copy, at, &folder]).expect(0);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    run(&[export, &copy, at, &folder]).expect(2).one_clear_error(&["safe.container", "already"]);
    // It is there already, and the backend may run.
    run(&[import, &copy, at, &folder]).expect(0);
    fs::remove_file(folder.join("container.key")).unwrap();
    run(&[import, &copy, at, &folder]).expect(1).one_clear_error(&["in use", "stop the backend"]);
    backend.kill();
    fs::remove_dir_all(&folder).unwrap();
    run(&[import, &copy, at, &folder]).expect(0);
    assert_eq!(shown(&workshop, &folder), one);
    let mut backend = start(&workshop, &line, None);
    assert_eq!(shown(&workshop, &folder), one);
    backend.kill();
    // Another container is not replaced.
    fs::remove_dir_all(&folder).unwrap();
    let mut backend = start(&workshop, &line, None);
    backend.kill();
    let second = shown(&workshop, &folder);
    assert_ne!(second["serial"], one["serial"]);
    let serials = [one["serial"].as_str().unwrap(), second["serial"].as_str().unwrap()];
    run(&[import, &copy, at, &folder]).expect(2).one_clear_error(&serials);
    assert_eq!(shown(&workshop, &folder), second);
    // What is no container is none.
    let wrong = run(&[import, &workshop.group_key(), at, &workshop.folder().join("new")]);
    wrong.expect(2).one_clear_error(&["group.key", "not the identity of a container"]);
}

fn a_backend_with_a_damaged_container_serves_and_names_it(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let folder = cluster.workshop().folder().join("state-1-container");
    let key = folder.join("container.key");
    cluster.backends[0].kill();
    let good = fs::read_to_string(&key).unwrap();
    let broken = &good[..good.len() - 9];
    fs::write(&key, broken).unwrap();
    cluster.restart_backend(0);
    cluster.wait_whole(0);
    let named = status_until(cluster.backends[0].admin(), "the damaged container", |status| {
        let files = status["files"].as_array()?;
        let of = |file: &&Value| file["file"].as_str().unwrap().ends_with("container.key");
        files.iter().find(of).cloned()
    });
    assert!(named["trouble"].as_str().unwrap().contains("is damaged"), "{named}");
    assert!(named["what_to_do"].as_str().unwrap().contains("tmrd container import"), "{named}");
    assert_eq!(fs::read_to_string(&key).unwrap(), broken);
    cluster.backends[0].kill();
    fs::write(&key, &good).unwrap();
    cluster.restart_backend(0);
    status_until(cluster.backends[0].admin(), "no trouble", |status| {
        status["files"].as_array().is_none_or(Vec::is_empty).then_some(())
    });
}

fn a_first_start_is_refused_where_no_container_can_be_made(runtime: Runtime) {
    let (workshop, folder) = workshop(runtime);
    let line = BackendLine::of(&workshop, 1);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("container.key"), "tmr-container 1\n").unwrap();
    let refused =
        |container: Option<&Path>| workshop.program().run(arguments(&line, container)).expect(2);
    refused(None).one_clear_error(&["container.key", "is damaged"]);
    let file = workshop.group_key();
    let end = workshop.program().run(arguments(&line, Some(&file)));
    end.expect(1).one_clear_error(&["container folder", "group.key"]);
    refused(Some(Path::new("/proc/container"))).one_clear_error(&["right would be a disk"]);
}

fn two_backends_cannot_have_one_container(runtime: Runtime) {
    let (workshop, folder) = workshop(runtime);
    let line = BackendLine::of(&workshop, 1);
    let _backend = start(&workshop, &line, None);
    let second = BackendLine { state: workshop.state(2), ..BackendLine::of(&workshop, 2) };
    let end = workshop.program().run(arguments(&second, Some(&folder))).expect(1);
    end.one_clear_error(&["container folder", "in use by process"]);
}
