//! What [`Pages`] promises. The tests count and hold back renderings where they read what the page says of the process.

use std::io::Read;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use flate2::read::GzDecoder;
use fleet::{LinkView, PoolName, PoolView, Settings, Snapshot};
use futures_util::poll;
use tokio::time::{Instant, advance, timeout};

use crate::export::Reloads;
use crate::export::tests::sample;
use crate::view::{Ask, Kind};

use super::jobs::MAX_JOBS;
use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn published(sequence: u64) -> Published {
    let path = "a/b/c".parse().expect("a path");
    let mut pool = PoolView::empty(PoolName::Workers(path), Settings::default());
    pool.up = true;
    Published::now(Arc::new(Snapshot {
        sequence,
        pools: vec![Arc::new(pool)],
        up: true,
        round_age: Some(Duration::ZERO),
        rounds_skipped: sequence,
        link: LinkView {
            connected: true,
            ..LinkView::default()
        },
        ..Snapshot::default()
    }))
}

fn pages(process: impl Fn() -> Process + Send + Sync + 'static) -> (watch::Sender<Published>, Arc<Pages>) {
    let (publish, snapshots) = watch::channel(published(1));
    let pages = Pages::new(Source {
        process: Box::new(process),
        ..Source::of(snapshots)
    });
    (publish, Arc::new(pages))
}

/// Pages whose renderings are counted.
fn counted() -> (watch::Sender<Published>, Arc<Pages>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let (publish, pages) = pages(move || {
        counter.fetch_add(1, Relaxed);
        Process::default()
    });
    (publish, pages, count)
}

fn text(page: Result<Page, PageError>) -> String {
    String::from_utf8(page.expect("rendered").chunks.concat()).expect("text")
}

#[tokio::test]
async fn clients_that_ask_at_the_same_time_share_one_rendering() {
    let (release, held) = mpsc::channel::<()>();
    let (held, count) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&count);
    let (_publish, pages) = pages(move || {
        counter.fetch_add(1, Relaxed);
        held.lock().unwrap().recv().unwrap();
        Process::default()
    });
    let get = || pages.get(Format::Classic, Encoding::Identity);
    // Both ask before the page is released.
    let (first, second, ()) = tokio::join!(get(), get(), async { release.send(()).unwrap() });
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(Arc::ptr_eq(&first.chunks, &second.chunks));
    assert!(Arc::ptr_eq(&first.chunks, &get().await.unwrap().chunks));
    assert_eq!(count.load(Relaxed), 1);
}

#[tokio::test]
async fn a_page_is_finished_although_its_first_client_leaves() {
    let (_publish, pages, count) = counted();
    let mut first = Box::pin(pages.get(Format::Classic, Encoding::Identity));
    assert!(poll!(&mut first).is_pending());
    drop(first);
    pages.get(Format::Classic, Encoding::Identity).await.unwrap();
    assert_eq!(count.load(Relaxed), 1);
}

#[tokio::test]
async fn each_format_is_rendered_once_for_all_encodings() {
    let (_publish, pages, count) = counted();
    for format in Format::ALL {
        let packed = pages.get(format, Encoding::Gzip).await.unwrap();
        assert_eq!(packed.bytes as usize, packed.chunks.concat().len());
        let mut unpacked = String::new();
        GzDecoder::new(packed.chunks.concat().as_slice())
            .read_to_string(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, text(pages.get(format, Encoding::Identity).await));
        let again = pages.get(format, Encoding::Gzip).await.unwrap();
        assert!(Arc::ptr_eq(&again.chunks, &packed.chunks));
    }
    assert_eq!(count.load(Relaxed), 2);
}

#[tokio::test]
async fn a_new_snapshot_has_a_new_page() {
    let (publish, pages, count) = counted();
    for sequence in [1, 2] {
        publish.send_replace(published(sequence));
        let page = text(pages.get(Format::Classic, Encoding::Identity).await);
        assert!(
            page.contains(&format!("llm_collector_rounds_skipped_total {sequence}\n")),
            "{page}"
        );
    }
    assert_eq!(count.load(Relaxed), 2);
}

#[tokio::test]
async fn a_page_is_dropped_when_its_snapshot_is_outdated() {
    let (publish, pages, _) = counted();
    let page = Arc::downgrade(
        &pages
            .get(Format::Classic, Encoding::Identity)
            .await
            .unwrap()
            .chunks,
    );
    assert!(page.upgrade().is_some());
    let is_dropped = async {
        while page.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let mut dropping = Box::pin(pages.drop_outdated());
    assert!(poll!(&mut dropping).is_pending());
    publish.send_replace(published(2));
    tokio::select! {
        () = dropping => panic!("snapshots are still published"),
        outcome = timeout(PATIENCE, is_dropped) => outcome.expect("the page is dropped"),
    }
}

#[tokio::test]
async fn no_more_than_two_pages_are_rendered_at_once() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (active, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, top) = (Arc::clone(&active), Arc::clone(&most));
    let (publish, pages) = pages(move || {
        top.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
        held.lock().unwrap().recv().unwrap();
        now.fetch_sub(1, Relaxed);
        Process::default()
    });
    let mut clients: Vec<_> = Vec::new();
    for sequence in 1..=3 {
        publish.send_replace(published(sequence));
        for format in Format::ALL {
            let mut client = Box::pin(pages.get(format, Encoding::Identity));
            assert!(poll!(&mut client).is_pending());
            clients.push(client);
        }
    }
    for _ in &clients {
        release.send(()).unwrap();
    }
    for page in futures_util::future::join_all(clients).await {
        page.unwrap();
    }
    assert!((1..=MAX_JOBS).contains(&most.load(Relaxed)), "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_down_on_the_page_as_soon_as_the_last_round_is_too_old() {
    let (_publish, pages, _) = counted();
    for (seconds, expected) in [(0, 1), (6, 1), (1, 0)] {
        advance(Duration::from_secs(seconds)).await;
        let page = text(pages.get(Format::Classic, Encoding::Identity).await);
        let line = page
            .lines()
            .find(|line| line.starts_with("llm_collector_up{"))
            .expect("there is a pool");
        assert!(line.ends_with(&format!(" {expected}")), "{line}");
        let is_ready = ready::why_not(&pages.published(), pages.round_limit()).is_empty();
        assert_eq!(is_ready, expected == 1);
    }
}

#[tokio::test]
async fn a_rendering_that_fails_is_an_error_until_the_next_snapshot() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let (publish, pages) = pages(move || {
        assert!(!broken.load(Relaxed), "rendering fails in this test");
        Process::default()
    });
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        assert_eq!(pages.get(Format::Classic, encoding).await.unwrap_err(), PageError);
    }
    is_broken.store(false, Relaxed);
    publish.send_replace(published(2));
    pages.get(Format::Classic, Encoding::Gzip).await.unwrap();
}

#[tokio::test]
async fn a_reload_of_the_configuration_shows_at_once() {
    let (publish, snapshots) = watch::channel(published(1));
    let (set, live) = watch::channel(Live::default());
    let pages = Pages::new(Source {
        live,
        ..Source::of(snapshots)
    });
    let before = text(pages.get(Format::Classic, Encoding::Identity).await);
    set.send_modify(|live| {
        live.reloads = Some(Reloads {
            is_successful: false,
            last_success: Duration::from_secs(1),
            succeeded: 0,
            failed: 1,
        });
        live.round_limit = Duration::from_secs(3600);
    });
    let after = text(pages.get(Format::Classic, Encoding::Identity).await);
    let line = "\nllm_collector_config_last_reload_successful 0\n";
    assert!(!before.contains(line) && after.contains(line), "{after}");
    assert_eq!(pages.round_limit(), Duration::from_secs(3600));
    drop(publish);
}

#[tokio::test(start_paused = true)]
async fn clients_of_the_json_api_share_an_answer_until_its_age_is_another() {
    let (publish, pages, _) = counted();
    let get = async |query: &str| {
        let query = query.parse().expect(query);
        let answer = pages.answer(Resource::Pools, query, Encoding::Identity).await;
        answer.expect("written")
    };
    let first = get("").await;
    assert!(Arc::ptr_eq(&first.chunks, &get("").await.chunks), "shared");
    assert!(!Arc::ptr_eq(&first.chunks, &get("pool=x").await.chunks));
    advance(Duration::from_millis(1500)).await;
    let older = text(Ok(get("").await));
    assert!(older.contains("\"age_seconds\":1.5"), "{older}");
    publish.send(published(2)).expect("it is read");
    let newer = text(Ok(get("").await));
    assert!(newer.contains("\"snapshot\":2"), "{newer}");
}

/// The name and the number of an event.
fn event(bytes: &[u8]) -> (String, u64) {
    let text = std::str::from_utf8(bytes).expect("text");
    let field = |name: &str| {
        let mut lines = text.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .expect("a field")
            .to_owned()
    };
    (field("event: "), field("id: ").parse().expect("a number"))
}

#[tokio::test]
async fn many_that_follow_a_screen_share_each_rendering() {
    for form in [Form::Json, Form::Html] {
        let (publish, pages, renderings) = counted();
        publish.send_replace(published(1));
        let ask = Ask::of(Kind::Collector);
        let mut followers: Vec<Follower> = (0..200).map(|_| pages.follow(&ask, form)).collect();
        for (number, name) in [(1, "view"), (2, "delta"), (3, "delta")] {
            let next = followers.iter_mut().map(Follower::next);
            for seen in futures_util::future::join_all(next).await {
                let seen = seen.expect("an event").expect("rendered");
                assert_eq!(event(&seen), (name.to_owned(), number));
            }
            assert_eq!(renderings.load(Relaxed) as u64, number, "{form:?}");
            publish.send_replace(published(number + 1));
        }
        drop(followers);
        assert_eq!(pages.topics.followers(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_screen_rests_half_a_second_and_longer_where_its_changes_are_large() {
    async fn check(workers: u64, expected: Range<f64>) {
        let started = |sequence: u64| {
            let mut pool = sample::full_pool("a/b/c", workers);
            for worker in Arc::make_mut(&mut pool.workers) {
                worker.started = Some(sequence as f64);
            }
            let mut snapshot = sample::snapshot_of(vec![pool]);
            snapshot.sequence = sequence;
            Published::now(Arc::new(snapshot))
        };
        let (publish, snapshots) = watch::channel(started(1));
        let pages = Arc::new(Pages::new(Source::of(snapshots)));
        let ask = Ask::read(Kind::Pool, "pool=a/b/c").expect("a question");
        let mut follower = pages.follow(&ask, Form::Html);
        // The first has no changes, and the rest after the second depends on how large those in it are.
        for sequence in 2..=3 {
            follower.next().await.expect("an event").expect("rendered");
            publish.send_replace(started(sequence));
        }
        let second = Instant::now();
        follower.next().await.expect("an event").expect("rendered");
        let rest = second.elapsed().as_secs_f64();
        assert!(expected.contains(&rest), "{workers} workers: {rest}");
    }
    check(100, 0.4..0.6).await;
    check(20_000, 1.9..2.1).await;
}

#[tokio::test]
async fn one_that_was_too_slow_for_a_snapshot_gets_the_whole_screen() {
    let (publish, pages, _) = counted();
    publish.send_replace(published(1));
    let ask = Ask::of(Kind::Overview);
    let (mut quick, mut slow) = (pages.follow(&ask, Form::Json), pages.follow(&ask, Form::Json));
    let next =
        async |follower: &mut Follower| event(&follower.next().await.expect("an event").expect("rendered"));
    assert_eq!(next(&mut quick).await, ("view".to_owned(), 1));
    assert_eq!(next(&mut slow).await, ("view".to_owned(), 1));
    for number in [2, 3] {
        publish.send_replace(published(number));
        assert_eq!(next(&mut quick).await, ("delta".to_owned(), number));
    }
    assert_eq!(next(&mut slow).await, ("view".to_owned(), 3));
    publish.send_replace(published(4));
    assert_eq!(next(&mut slow).await, ("delta".to_owned(), 4));
    drop(publish);
    assert_eq!(next(&mut quick).await, ("delta".to_owned(), 4));
    assert!(quick.next().await.is_none(), "no more snapshots are published");
}
