//! The load generator: the calls that it counts happened, and it releases the seats that it takes.

use serde_json::Value;
use tmr_tests::harness::{Cluster, Runtime, SEATS, TMR};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(a_bench_counts_its_calls_and_leaves_nothing_behind);

fn bench(cluster: &Cluster, work: &str, clients: u32) -> Value {
    let server = cluster.front().licence().to_string();
    let (clients, product) = (clients.to_string(), TMR.to_string());
    let line = ["bench", work, "--server", &server, "--clients", &clients, "--seconds", "1"];
    let done = cluster.program().run(line.into_iter().chain(["--product-code", &product]));
    serde_json::from_str(&done.expect(0).out).expect("one JSON value")
}

fn a_bench_counts_its_calls_and_leaves_nothing_behind(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    for work in ["access", "crypt"] {
        let result = bench(&cluster, work, SEATS);
        let figure = |name: &str| result[name].as_f64().expect("a number");
        assert!(figure("count") >= 1.0 && figure("rate") >= 1.0, "{result}");
        assert!(figure("p50_us") > 0.0 && figure("p50_us") <= figure("p99_us"), "{result}");
        assert!(figure("p99_us") <= figure("max_us"), "{result}");
        assert_eq!(result["errors"], serde_json::json!({}), "{result}");
        assert_eq!(cluster.used(TMR), 0, "every seat is given back");
    }
    let result = bench(&cluster, "access", SEATS + 1);
    let errors = result["errors"].as_object().expect("errors by name");
    assert!(errors.keys().all(|name| name.contains("NO_MORE_LICENSES")), "{result}");
    assert_eq!(cluster.used(TMR), 0, "every seat is given back");

    let result = bench(&cluster, "idle", 20);
    assert_eq!((&result["clients"], &result["still_open"]), (&20.into(), &20.into()));
}
