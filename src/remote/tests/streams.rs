//! Streamed answers: their pace, their slots, and the rate that holds for them too.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stream_must_keep_its_pace_but_its_reader_need_not() {
    let config = ClientConfig { least_bytes_per_second: 50, ..ClientConfig::default() };
    for (seconds, good) in [(1, true), (3, false)] {
        let bench = bench_with(config.clone(), &[], Step::Slow(100, seconds));
        let context = CallContext::read("list", CallClass::Harvest);
        let mut body = bench.client.stream(context, Bench::request()).await.unwrap().body;
        let mut last = Ok(Bytes::new());
        while let Some(chunk) = body.next().await {
            last = chunk;
            bench.env.sleep(Duration::from_secs(20)).await;
        }
        assert_eq!(last.is_ok(), good, "one chunk of 100 bytes every {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_take_no_slot() {
    let bench = bench_with(
        ClientConfig { max_in_flight: 2, ..ClientConfig::default() },
        &[Step::Slow(10, 1), Step::Slow(10, 1)],
        OK,
    );
    let context = CallContext::read("list", CallClass::Harvest);
    let _first = bench.client.stream(context.clone(), Bench::request()).await.unwrap();
    let _second = bench.client.stream(context, Bench::request()).await.unwrap();
    assert!(bench.read().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_rate_holds_for_reads_and_writes_and_streams_together_and_locks_go_first() {
    let bench =
        bench_with(ClientConfig { requests_per_second: Some(2.0), ..ClientConfig::default() }, &[], OK);
    let list = CallContext::read("list", CallClass::Audit);
    assert!(bench.client.stream(list, Bench::request()).await.is_ok());
    assert!(bench.read().await.is_ok());
    assert!(bench.seconds() < 0.1, "a burst of one second");
    assert!(bench.lock(1).await.is_ok());
    assert!(bench.seconds() < 0.1, "a lock borrows ahead");
    assert!(bench.write().await.is_ok());
    assert!((0.9..1.2).contains(&bench.seconds()), "{}", bench.seconds());
}
