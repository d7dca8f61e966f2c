//! Stopping: in order, in time, and without a ghost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use protocol::service::async_nats::{Request, RequestErrorKind};
use protocol::service::{ShutdownError, Worker, WorkerBuilder};
use tokio::sync::Semaphore;

use crate::bench::{Bench, PATIENCE, error_of, next, path};
use crate::on_nats;

/// A handler that says when it began, and goes on when it is allowed to.
fn slow(
    concurrency: usize,
    began: &Arc<Semaphore>,
    may_end: &Arc<Semaphore>,
) -> impl FnOnce(WorkerBuilder) -> WorkerBuilder {
    let (began, may_end) = (began.clone(), may_end.clone());
    move |worker| {
        worker.concurrency(concurrency).handler(move |request| {
            let (began, may_end) = (began.clone(), may_end.clone());
            async move {
                began.add_permits(1);
                may_end.acquire().await?.forget();
                Ok(request.respond("done").await?)
            }
        })
    }
}

/// Asks again and again until the worker takes no more requests.
async fn wait_until_intake_ends(bench: &Bench, subject: &str) {
    loop {
        let probe = Request::new().timeout(Some(Duration::from_millis(20)));
        let refused = bench
            .user_side
            .send_request(subject.to_owned(), probe)
            .await
            .err();
        if refused.is_some_and(|error| error.kind() == RequestErrorKind::NoResponders) {
            return;
        }
    }
}

on_nats! {
    async fn a_shutdown_finishes_what_is_in_flight_and_then_leaves(bench: Bench) {
        let (began, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let worker = bench.worker(slow(256, &began, &may_end)).await;
        let subject = worker.subject().to_string();
        let mut answers = bench.ask_for_many(&worker, "").await;
        began.acquire().await.expect("open").forget();

        let shutdown = tokio::spawn(worker.shutdown(PATIENCE));
        wait_until_intake_ends(&bench, &subject).await;
        assert_eq!(bench.stats().await.subject, subject, "as long as it works it is seen");
        assert!(!shutdown.is_finished());

        may_end.add_permits(Semaphore::MAX_PERMITS);
        assert_eq!(next(&mut answers).await.payload, "done");
        shutdown.await.expect("no panic").expect("everything was finished");
        bench.wait_until_no_worker_answers().await;
    }

    async fn a_shutdown_serves_what_has_been_received(bench: Bench) {
        let (began, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let worker = bench.worker(slow(1, &began, &may_end)).await;
        let subject = worker.subject().to_string();
        let mut first = bench.ask_for_many(&worker, "").await;
        let mut second = bench.ask_for_many(&worker, "").await;
        began.acquire().await.expect("open").forget();
        // NATS keeps the order between two connections: with this reply, the second request has come, too.
        bench.stats().await;

        let shutdown = tokio::spawn(worker.shutdown(PATIENCE));
        wait_until_intake_ends(&bench, &subject).await;
        may_end.add_permits(Semaphore::MAX_PERMITS);
        assert_eq!(next(&mut first).await.payload, "done");
        assert_eq!(next(&mut second).await.payload, "done");
        shutdown.await.expect("no panic").expect("everything was finished");
    }

    async fn after_the_grace_callers_get_an_error_and_the_worker_ends(bench: Bench) {
        let (began, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let worker = bench.worker(slow(1, &began, &may_end)).await;
        let mut answers = bench.ask_for_many(&worker, "").await;
        let mut more = bench.ask_for_many(&worker, "").await;
        began.acquire().await.expect("open").forget();
        bench.stats().await;

        let error = worker.shutdown(Duration::ZERO).await.expect_err("requests were in flight");
        assert!(matches!(error, ShutdownError::Unfinished { requests: 2 }), "{error}");
        for answers in [&mut answers, &mut more] {
            let (code, text) = error_of(&next(answers).await).expect("an error");
            assert_eq!((code.as_str(), text.as_str()), ("503", "the worker is shutting down"));
        }
        bench.wait_until_no_worker_answers().await;
    }

    async fn a_dropped_worker_leaves_no_ghost(bench: Bench) {
        let (began, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let worker = bench.worker(slow(1, &began, &may_end)).await;
        let mut answers = bench.ask_for_many(&worker, "").await;
        began.acquire().await.expect("open").forget();
        drop(worker);
        assert_eq!(error_of(&next(&mut answers).await).expect("an error").0, "503");
        bench.wait_until_no_worker_answers().await;
    }

    async fn a_start_that_is_given_up_leaves_no_ghost(bench: Bench) {
        let start = Worker::builder(path()).start(bench.worker_side.clone());
        // The first poll goes up to the first answer of the server, and so beyond the registration.
        assert!(start.now_or_never().is_none());
        bench.wait_until_no_worker_answers().await;
    }

    async fn one_worker_stops_and_the_others_stay(bench: Bench) {
        let one = bench.worker(|worker| worker.worker_id(1)).await;
        let two = bench.worker(|worker| worker.worker_id(2)).await;
        one.shutdown(PATIENCE).await.expect("nothing was in flight");
        assert_eq!(bench.stats().await.subject, two.subject().to_string(), "the other one");
    }

    async fn a_closed_connection_does_not_keep_a_shutdown_waiting(bench: Bench) {
        let worker = bench.worker(|worker| worker).await;
        bench.worker_side.drain().await.expect("it is open");
        Bench::wait_for_silence(&bench.user_side).await;
        // The subscriptions end a moment before the connection does.
        while bench.worker_side.flush().await.is_ok() {}
        let error = worker.shutdown(PATIENCE).await.expect_err("it had no server to say farewell to");
        assert!(matches!(error, ShutdownError::NotFlushed), "{error}");
    }

    async fn a_lost_connection_does_not_keep_a_shutdown_waiting(bench: Bench) {
        let mut bench = bench;
        let worker = bench.worker(|worker| worker).await;
        bench.lose_server().await;
        let error = worker.shutdown(Duration::from_secs(3600)).await.expect_err("no server was there");
        assert!(matches!(error, ShutdownError::NotFlushed), "{error}");
    }
}
