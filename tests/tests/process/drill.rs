//! `demo --drill` ends by itself, and finds no problem.

use serde_json::Value;
use tmr_tests::harness::{Program, Runtime};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(the_drill_finds_nothing);

fn the_drill_finds_nothing(runtime: Runtime) {
    let end = Program::of(runtime)
        .run(["demo", "--drill", "--json", "--port", "0", "--admin-port", "0"])
        .expect(0);
    let report: Value = serde_json::from_str(&end.out).expect("one JSON value");
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["broken"], Value::Array(Vec::new()), "{report:#}");
    let steps = report["steps"].as_array().expect("a list of steps");
    for words in ["backend-3 killed", "front-1, which led, killed", "backend-1 frozen"] {
        let done = |step: &Value| step["what"].as_str().is_some_and(|what| what.starts_with(words));
        assert!(steps.iter().any(done), "{words}: {report:#}");
    }
    for step in steps {
        assert!(step["taken"].as_u64() > Some(0), "seats were given: {step:#}");
        assert!(step["given_back"].as_u64() > Some(0), "and given back: {step:#}");
        // Only calls that a killed front did not answer are lost.
        let what = step["what"].as_str().unwrap_or_default();
        assert!(step["lost"] == 0 || what.contains("which led"), "{step:#}");
    }
    let most = steps.iter().map(|step| step["most_in_hands"].as_u64());
    assert_eq!(most.max(), Some(Some(5)), "all seats were in use at times: {report:#}");
}
