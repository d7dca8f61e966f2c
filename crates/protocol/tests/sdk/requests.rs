//! Answering, and what a caller sees when a handler does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::service::{HandlerError, Request, RespondError};
use tokio::sync::Semaphore;

use crate::bench::{error_of, next};
use crate::on_nats;

async fn stream_characters(request: Request) -> Result<(), HandlerError> {
    let payload = request.payload().clone();
    let stream = request.stream();
    for character in payload.chunks(1) {
        stream.send(character.to_vec()).await?;
    }
    Ok(stream.finish().await?)
}

/// Does as the payload says, all of it wrong but for `well`.
async fn misbehave(request: Request) -> Result<(), HandlerError> {
    match &request.payload().clone()[..] {
        b"well" => request.respond("well").await?,
        b"error" => return Err(HandlerError::new(429, "too much")),
        b"source" => return Err(protocol::CodecError::Empty.into()),
        b"panic" => panic!("a secret of the worker"),
        b"silence" => {}
        b"half" => request.stream().send("half").await?,
        b"large" => request.respond(vec![0; 2 << 20]).await?,
        b"nothing" => request.stream().send("").await?,
        other => unreachable!("{other:?}"),
    }
    Ok(())
}

on_nats! {
    async fn a_stream_is_its_parts_an_empty_end_and_one_request(bench: Bench) {
        let worker = bench.worker(|worker| worker.handler(stream_characters)).await;
        let mut answers = bench.ask_for_many(&worker, "abc").await;
        for expected in ["a", "b", "c", ""] {
            let answer = next(&mut answers).await;
            assert_eq!((answer.payload, answer.headers), (expected.into(), None));
        }
        let stats = bench.stats().await;
        assert_eq!((stats.requests, stats.errors), (Some(1), Some(0)));
        assert!(stats.processing_seconds > Some(0.0));
    }

    async fn whatever_a_handler_does_wrong_its_caller_gets_an_error_and_the_worker_goes_on(bench: Bench) {
        let worker = bench.worker(|worker| worker.handler(misbehave)).await;
        let cases = [
            ("error", "429", "too much"),
            ("source", "500", "the payload is empty"),
            ("panic", "500", "the handler panicked"),
            ("silence", "500", "no answer"),
            ("large", "500", "more than the 1048576"),
            ("nothing", "500", "cannot be empty"),
        ];
        for (done, (payload, code, text)) in (1..).zip(cases) {
            let answer = bench.ask(&worker, payload).await;
            let (found, said) = error_of(&answer).expect(payload);
            assert_eq!((found.as_str(), answer.payload.len()), (code, 0), "{payload}");
            assert!(said.contains(text) && !said.contains("secret"), "{payload}: {said}");
            let stats = bench.stats().await;
            assert_eq!((stats.requests, stats.errors), (Some(done), Some(done)), "{payload} counts once");
        }
        assert_eq!(bench.ask(&worker, "well").await.payload, "well");
    }

    async fn a_stream_that_breaks_off_ends_with_an_error(bench: Bench) {
        let worker = bench.worker(|worker| worker.handler(misbehave)).await;
        let mut answers = bench.ask_for_many(&worker, "half").await;
        assert_eq!(next(&mut answers).await.payload, "half");
        let end = next(&mut answers).await;
        assert_eq!(error_of(&end).expect("an error").0, "500");
        let stats = bench.stats().await;
        assert_eq!((stats.requests, stats.errors), (Some(1), Some(1)));
    }

    async fn a_worker_without_a_handler_says_that_it_takes_no_requests(bench: Bench) {
        let worker = bench.worker(|worker| worker).await;
        assert_eq!(error_of(&bench.ask(&worker, "").await).expect("an error").0, "501");
    }

    async fn requests_run_side_by_side_within_the_bound(bench: Bench) {
        const BOUND: usize = 3;
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let full = Arc::new(Semaphore::new(0));
        let worker = bench
            .worker(|worker| {
                let (now, most, full) = (now.clone(), most.clone(), full.clone());
                worker.concurrency(BOUND).handler(move |request| {
                    let (now, most, full) = (now.clone(), most.clone(), full.clone());
                    async move {
                        let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(running, Ordering::SeqCst);
                        if running == BOUND {
                            // All of the first ones are here together; none needs to wait from now on.
                            full.close();
                        }
                        let _ = full.acquire().await;
                        tokio::task::yield_now().await;
                        now.fetch_sub(1, Ordering::SeqCst);
                        Ok(request.respond("done").await?)
                    }
                })
            })
            .await;
        let asked = (0..50).map(|_| bench.ask(&worker, ""));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.payload, "done");
        }
        assert_eq!(most.load(Ordering::SeqCst), BOUND);
    }

    async fn a_request_that_outlives_its_handler_is_not_answered_twice(bench: Bench) {
        let (keep, mut kept) = tokio::sync::mpsc::channel(1);
        let worker = bench
            .worker(|worker| {
                worker.handler(move |request| {
                    let keep = keep.clone();
                    async move {
                        keep.send(request).await.expect("the test waits for it");
                        Ok(())
                    }
                })
            })
            .await;
        assert!(error_of(&bench.ask(&worker, "").await).is_some());
        let request = kept.recv().await.expect("the handler kept it");
        assert!(matches!(request.respond("late").await, Err(RespondError::HandlerEnded)));
        assert_eq!(bench.stats().await.requests, Some(1));
    }
}
