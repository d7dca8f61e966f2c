//! What can be read, and by whom: contrast as the browser computes it, names of what can be used, and narrow windows.

use protocol::Layout;
use serde_json::Value;
use tests::{Browser, Collector, Micro, NatsServer, TestFleet, load};

use crate::TARGET;

/// Texts whose contrast with what is behind them is below 4.5, by WCAG 2.2, and what can be used and has no name.
const FAULTS: &str = r"
    const parse = (text) => {
        const canvas = parse.context ||= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
    };
    const faults = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
        if (!text || !element.checkVisibility() || element.closest('script, .sr, .skip')) continue;
        const back = behind(element), front = over(parse(getComputedStyle(element).color), back);
        const [a, b] = [light(front), light(back)].sort((a, b) => b - a), ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) faults.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    for (const element of document.querySelectorAll('a, button, input, svg[role=img], [role=img]')) {
        if (element.closest('[aria-hidden=true]') || element.type === 'hidden') continue;
        const labelled = element.getAttribute('aria-label') || element.textContent.trim() || element.querySelector('[aria-label]');
        if (!labelled) faults.push(`no name: ${element.outerHTML.slice(0, 120)}`);
    }
    for (const id of [...document.querySelectorAll('[aria-labelledby]')].map((e) => e.getAttribute('aria-labelledby')))
        if (!document.getElementById(id)) faults.push(`no element ${id}`);
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`twice: ${id}`);
    if (document.querySelectorAll('h1').length !== 1) faults.push('there is not one heading of the page');
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`wider than the window: ${document.documentElement.scrollWidth}`);
    return [...new Set(faults)];";

#[tokio::test]
async fn every_screen_can_be_read_in_light_and_dark_and_on_a_telephone() {
    let Some(browser) = Browser::open("every screen can be read", 1280, 900).await else {
        return;
    };
    let Some(phone) = Browser::open("every screen can be read on a telephone", 390, 844).await else {
        return;
    };
    let server = NatsServer::start().await;
    let fleet = TestFleet::connect(&server).await;
    for (id, blocks) in [(1, 100), (2, 700), (3, 950), (4, 20), (5, 50)] {
        fleet.join(&Micro::worker(TARGET, Layout::Hashed, Some(id)).with_data(load(blocks)));
    }
    let silent = Micro::worker(TARGET, Layout::Hashed, Some(6));
    fleet.join(&silent);
    fleet.join(&Micro::worker(
        "dynamo/other_component/generate",
        Layout::Hashed,
        Some(7),
    ));
    let flags = [
        "--target",
        "dynamo/absent/generate",
        "--service",
        "nothing",
        "--gone-after",
        "1000000",
    ];
    let collector = Collector::watching(&server, TARGET, &flags).await;
    collector.has_workers(6).await;
    fleet.leave(&silent);
    let url = collector.url();
    for path in [
        String::new(),
        format!("/?pool={TARGET}"),
        format!("/?pool={TARGET}&worker=3"),
        format!("/?pool={TARGET}&worker=6"),
        "/why".to_owned(),
        "/collector".to_owned(),
        "/?pool=none".to_owned(),
    ] {
        for (window, colours) in [(&browser, "light"), (&browser, "dark"), (&phone, "light")] {
            window.prefers(colours).await;
            window.go(&format!("{url}{path}")).await;
            let faults = window.run(FAULTS).await;
            assert_eq!(faults, Value::Array(Vec::new()), "{path} in {colours}");
        }
    }
}
