//! Forward passes of an engine: what is published is what readers of Dynamo's events read.

use std::time::{Duration, Instant};

use protocol::WorkerId;
use protocol::codec::{Publisher, open};
use protocol::events::{ForwardPass, Queued, Scheduled, Topic};
use protocol::service::async_nats::Message;
use protocol::service::{EnginePass, EventPublishError, WorkerBuilder};
use protocol::subject::{EventSubject, Wanted, event_patterns};

use crate::bench::{next, path};
use crate::on_nats;

/// The subject, the publisher and the pass of a message.
fn read(message: &Message) -> (EventSubject, Publisher, ForwardPass) {
    assert!(message.headers.is_none(), "Dynamo sends none");
    let opened = open(None, &message.payload).expect("it opens");
    let subject = EventSubject::read(&message.subject).swap_remove(0);
    (
        subject,
        opened.publisher.expect("an envelope"),
        ForwardPass::read(&opened).expect("a pass"),
    )
}

on_nats! {
    async fn a_pass_is_published_with_whose_it_is_and_numbered(bench: Bench) {
        let patterns = event_patterns(&[Wanted::from(&path())], &[Topic::ForwardPass]);
        let mut heard = bench.user_side.subscribe(patterns[0].clone()).await.expect("connected");
        bench.user_side.flush().await.expect("connected");
        let worker = bench.worker(|worker| worker.worker_id(u64::MAX).dp_rank(3)).await;
        let pass = EnginePass {
            wall_time: Duration::from_millis(25),
            scheduled: Scheduled {
                decode_requests: 8,
                decode_kv_tokens: 567,
                decode_kv_variance: 114.5,
                ..Scheduled::default()
            },
            queued: Queued {
                prefill_requests: 4,
                prefill_tokens: 211,
                ..Queued::default()
            },
        };
        worker.forward_pass(&pass).await.expect("published");
        worker.forward_pass(&EnginePass::default()).await.expect("published");
        let (subject, publisher, first) = read(&next(&mut heard).await);
        assert_eq!(subject, EventSubject::of(&path(), Topic::ForwardPass));
        let expected = ForwardPass {
            worker_id: WorkerId::new(u64::MAX),
            dp_rank: 3,
            counter_id: 1,
            wall_time: 0.025,
            scheduled: pass.scheduled,
            queued: pass.queued,
        };
        assert_eq!(first, expected);
        assert_eq!(publisher.sequence, 0);
        assert!(publisher.id < 1 << 53);
        let (_, again, second) = read(&next(&mut heard).await);
        assert_eq!((again.id, again.sequence), (publisher.id, 1));
        assert_eq!((second.counter_id, second.is_heartbeat()), (2, true));
    }

    async fn heartbeats_fill_the_time_without_a_pass_and_end_with_the_worker(bench: Bench) {
        let patterns = event_patterns(&[Wanted::from(&path())], &[Topic::ForwardPass]);
        let mut heard = bench.user_side.subscribe(patterns[0].clone()).await.expect("connected");
        bench.user_side.flush().await.expect("connected");
        let started = Instant::now();
        let worker = bench.worker(WorkerBuilder::heartbeat).await;
        for count in 1..=2 {
            let (_, _, pass) = read(&next(&mut heard).await);
            assert!(pass.is_heartbeat());
            assert_eq!((pass.counter_id, pass.worker_id), (count, worker.id()));
            assert!(started.elapsed() >= Duration::from_secs(count), "one each second at most");
        }
        worker.shutdown(Duration::ZERO).await.expect("it stops");
        // The next one's heartbeats are the clock.
        let other = bench.worker(WorkerBuilder::heartbeat).await;
        for _ in 1..=2 {
            assert_eq!(read(&next(&mut heard).await).2.worker_id, other.id());
        }
    }

    async fn a_pass_that_no_reader_takes_is_not_published(bench: Bench) {
        let worker = bench.worker(|worker| worker).await;
        let odd = EnginePass {
            scheduled: Scheduled {
                prefill_length_variance: f64::NAN,
                ..Scheduled::default()
            },
            ..EnginePass::default()
        };
        let error = worker.forward_pass(&odd).await.expect_err("it is refused");
        assert!(matches!(error, EventPublishError::Variance("scheduled.prefill_length_variance")), "{error}");
    }
}
