//! What an operator does: look, sort, filter, go on and back, and paste an address.

use protocol::Layout;
use serde_json::json;
use tests::{Browser, Collector, Micro, NatsServer, TestFleet, load};

use super::is_clean;
use crate::TARGET;

/// All have the same queue, which is not to count.
const KV_DECIDES: [&str; 2] = ["--queue-target", "1000"];

/// The ids of the rows that are drawn.
const IDS: &str = "[...document.querySelectorAll('#rows tr[data-id]')].map(row => row.dataset.id).join()";

/// Workers of the target with these KV blocks of 1000.
async fn workers(server: &NatsServer, blocks: &[u64]) -> TestFleet {
    let fleet = TestFleet::connect(server).await;
    for (index, blocks) in blocks.iter().enumerate() {
        let worker = Micro::worker(TARGET, Layout::Hashed, Some(index as u64 + 1));
        fleet.join(&worker.with_data(load(*blocks)));
    }
    fleet
}

#[tokio::test]
async fn a_page_follows_what_happens_without_being_loaded_again() {
    let Some(browser) = Browser::open("a page follows what happens", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = workers(&server, &[100, 100]).await;
    // A worker that left stays silent, and does not vanish before the page was looked at.
    let flags = [&KV_DECIDES[..], &["--gone-after", "10000"]].concat();
    let collector = Collector::watching(&server, TARGET, &flags).await;
    collector.has_workers(2).await;
    browser.go(collector.url()).await;
    browser.run("window.isTheSame = true").await;
    browser
        .shows(
            "both workers are there",
            "document.querySelector('#pools').innerText.includes('2/2')",
        )
        .await;
    let third = Micro::worker(TARGET, Layout::Hashed, Some(77)).with_data(load(950));
    fleet.join(&third);
    browser
        .shows(
            "a third worker appears, and that it is saturated is a problem",
            "document.querySelector('#pools').innerText.includes('3/3') && document.body.innerText.includes('saturated: 0x4d')",
        )
        .await;
    fleet.leave(&third);
    browser
        .shows(
            "it is shown as silent",
            "document.body.innerText.includes('silent: 0x4d')",
        )
        .await;
    assert_eq!(
        browser.run("return window.isTheSame").await,
        true,
        "the page is the same"
    );
    is_clean(&browser, &collector, &[]).await;
}

#[tokio::test]
async fn rows_that_the_script_draws_are_those_of_the_server() {
    let Some(browser) = Browser::open("rows are those of the server", 1600, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let _fleet = workers(&server, &[100, 640, 900, 333]).await;
    let collector = Collector::watching(&server, TARGET, &KV_DECIDES).await;
    collector.has_workers(4).await;
    browser.go(&format!("{}/?pool={TARGET}", collector.url())).await;
    // How long ago something was is another time when the server is asked again.
    let compare = "
        const rows = (from) => [...from.querySelectorAll('#rows tr[data-id]')].map((row) => {
            const cells = [...row.children].map((cell) => cell.innerHTML.replace(/<\\/(rect|svg)>|\\/>/g, '>').replace(/>>/g, '>'));
            return [row.className, ...cells.slice(0, 9), cells[11]].join('|');
        });
        const request = new XMLHttpRequest();
        request.open('GET', location.href, false);
        request.send();
        const served = rows(new DOMParser().parseFromString(request.responseText, 'text/html'));
        const drawn = rows(document);
        return document.querySelector('#rows tr').edition && JSON.stringify(served) === JSON.stringify(drawn)
            ? [] : [served, drawn];";
    tests::eventually("the script draws the rows as the server does", async || {
        let differing = browser.run(compare).await;
        match differing.as_array().is_some_and(Vec::is_empty) {
            true => Ok(()),
            false => Err(format!("{differing:#}")),
        }
    })
    .await;
    for sort in [
        "severity", "id", "kv", "slots", "waiting", "requests", "errors", "hits", "uptime", "restarts",
    ] {
        let url = format!("{}/api/v1/pool?pool={TARGET}&sort={sort}", collector.url());
        let served = browser
            .run(&format!(
                "const r = new XMLHttpRequest(); r.open('GET', '{url}', false); r.send(); \
                 return JSON.parse(r.responseText).workers.map(row => row.id).join()"
            ))
            .await;
        browser.click(&format!("[data-sort={sort}]")).await;
        let served = served.as_str().expect("ids");
        browser
            .shows(
                &format!("by {sort} the order is that of the server"),
                &format!("{IDS} === '{served}'"),
            )
            .await;
    }
    is_clean(&browser, &collector, &[]).await;
}

#[tokio::test]
async fn sorting_filtering_and_going_back_are_in_the_address() {
    let Some(browser) = Browser::open("what is shown is in the address", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let _fleet = workers(&server, &[500, 100, 900, 300, 200, 10]).await;
    let collector = Collector::watching(&server, TARGET, &KV_DECIDES).await;
    collector.has_workers(6).await;
    browser.go(collector.url()).await;
    browser.click("#pools tbody a").await;
    browser
        .shows("the worst is first", &format!("{IDS} === '3,1,4,5,2,6'"))
        .await;
    browser.click("[data-sort=id]").await;
    browser
        .shows(
            "the order is in the address",
            &format!("{IDS} === '1,2,3,4,5,6' && location.search.includes('sort=id')"),
        )
        .await;
    browser.types("/0x3").await;
    browser
        .shows(
            "a slash goes to the filter, which is in the address",
            &format!("{IDS} === '3' && location.search.includes('filter=0x3')"),
        )
        .await;
    let pasted = browser.run("return location.href").await;
    browser.run("document.activeElement.blur()").await;
    browser.click("#rows a").await;
    browser
        .shows(
            "the worker has a page",
            "document.querySelector('h1').innerText.includes('0x3')",
        )
        .await;
    browser
        .shows("with charts", "document.querySelectorAll('.chart').length >= 4")
        .await;
    browser.back().await;
    browser
        .shows("back is the pool as it was", &format!("{IDS} === '3'"))
        .await;
    browser.back().await;
    browser
        .shows(
            "before that the worst is first",
            &format!("{IDS} === '3,1,4,5,2,6'"),
        )
        .await;
    browser.back().await;
    browser
        .shows(
            "and before that the overview",
            "document.querySelector('#pools') != null",
        )
        .await;

    let Some(other) = Browser::open("a pasted address", 1280, 900).await else {
        return;
    };
    other.go(pasted.as_str().expect("an address")).await;
    other
        .shows(
            "a pasted address shows the same",
            &format!("{IDS} === '3' && document.querySelector('#filter').value === '0x3'"),
        )
        .await;
    other.click("[data-key=waiting]").await;
    other
        .shows(
            "the strip shows another figure",
            "(() => {
                const cell = document.querySelector('#strip a');
                cell.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
                return cell.title.includes('7.0');
            })()",
        )
        .await;
    is_clean(&browser, &collector, &[]).await;
    is_clean(&other, &collector, &[]).await;
}

#[tokio::test]
async fn a_paused_page_keeps_its_figures_and_goes_on_later() {
    let Some(browser) = Browser::open("a paused page", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = workers(&server, &[100]).await;
    let collector = Collector::watching(&server, TARGET, &KV_DECIDES).await;
    collector.has_workers(1).await;
    browser
        .go(&format!("{}/?pool={TARGET}&sort=kv", collector.url()))
        .await;
    browser
        .shows("it is live", "document.querySelector('#rows tr').edition != null")
        .await;
    browser.types("p").await;
    browser
        .shows(
            "it says so",
            "document.querySelector('#banner').innerText.includes('Paused')",
        )
        .await;
    fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(9)).with_data(load(900)));
    collector.has_workers(2).await;
    let snapshot = "Number(document.body.dataset.snapshot)";
    let now = browser
        .run(&format!("return {snapshot}"))
        .await
        .as_f64()
        .expect("a number");
    browser
        .shows("snapshots come", &format!("{snapshot} > {now} + 5"))
        .await;
    browser
        .shows("and nothing moves", &format!("{IDS} === '1'"))
        .await;
    browser.click("#pause").await;
    browser.shows("it goes on", &format!("{IDS} === '9,1'")).await;
    is_clean(&browser, &collector, &[]).await;
}

#[tokio::test]
async fn names_of_services_are_text_whatever_they_are() {
    let Some(browser) = Browser::open("names are text", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    let name = "<script>alert(1)</script>";
    let hostile = Micro::service(name, "<img src=x onerror=alert(2)>")
        .endpoint("x.y", json!({}))
        .with("description", json!("<b>"));
    let (stats, info) = (hostile.stats(), hostile.info());
    fleet.join_raw("x", "y", stats, Some(info));
    let collector = Collector::start(server.url(), &["--all-services", "--target", TARGET]).await;
    let text = format!("document.body.innerText.includes('{name}')");
    browser.go(collector.url()).await;
    browser.shows("its name is text", &text).await;
    browser.click("#services tbody a").await;
    browser
        .shows(
            "also on its own page",
            &format!("{text} && document.querySelector('#strip a') != null"),
        )
        .await;
    browser.go(&format!("{}/why", collector.url())).await;
    browser
        .shows(
            "and on the page about what is missing",
            "document.querySelector('h1').innerText.includes('Why')",
        )
        .await;
    assert_eq!(browser.run("return document.scripts.length").await, 1);
    assert_eq!(browser.run("return document.images.length").await, 1, "the icon");
    is_clean(&browser, &collector, &[]).await;
}

#[tokio::test]
async fn of_ten_thousand_workers_only_those_in_the_window_are_drawn() {
    let Some(browser) = Browser::open("ten thousand workers", 1280, 900).await else {
        return;
    };
    let server = NatsServer::start().await;
    let blocks: Vec<u64> = (0..10_000).map(|index| index % 700).collect();
    let _fleet = workers(&server, &blocks).await;
    let flags = [&KV_DECIDES[..], &["--poll-interval", "5s"]].concat();
    let collector = Collector::watching(&server, TARGET, &flags).await;
    collector.has_workers(10_000).await;
    browser
        .go(&format!("{}/?pool={TARGET}&sort=id", collector.url()))
        .await;
    let rows = "document.querySelectorAll('#rows tr[data-id]').length";
    browser
        .shows(
            "a hundred rows and a cell for each",
            &format!("{rows} === 100 && document.querySelectorAll('#strip a').length === 10000"),
        )
        .await;
    browser
        .shows(
            "it says how many more there are",
            "document.querySelector('#rest').innerText === '9900 more'",
        )
        .await;
    browser.click("#rest a").await;
    browser
        .shows(
            "all can be reached, few are drawn",
            &format!("{rows} < 150 && document.documentElement.scrollHeight > 10000 * 28"),
        )
        .await;
    browser
        .run("scrollTo(0, document.documentElement.scrollHeight)")
        .await;
    browser
        .shows(
            "the last one is there",
            &format!("document.querySelector('#rows tr[data-id=\"10000\"]') != null && {rows} < 150"),
        )
        .await;
    browser.run("scrollTo(0, 0)").await;
    browser.click("[data-sort=kv]").await;
    browser
        .shows(
            "the fullest are first",
            &format!("{IDS}.startsWith('700,1400,2100,') && {rows} < 150"),
        )
        .await;
    browser.types("/0x2710").await;
    browser
        .shows("the filter finds one of all", &format!("{IDS} === '10000'"))
        .await;
    browser
        .run("const filter = document.querySelector('#filter'); filter.value = 'FRESH'; filter.dispatchEvent(new Event('input', { bubbles: true }))")
        .await;
    browser
        .shows(
            "and all of them again",
            &format!("document.querySelector('#matching').innerText === '10000' && {rows} < 150"),
        )
        .await;
    let served = browser
        .run(&format!(
            "const r = new XMLHttpRequest(); r.open('GET', './?pool={TARGET}&top=all', false); r.send(); \
             return r.responseText.split('<tr data-id').length - 1"
        ))
        .await;
    assert_eq!(served, 1000, "the server draws no more, because the script does");
    is_clean(&browser, &collector, &[]).await;
}
