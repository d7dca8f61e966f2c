//! [`Shelf`]: pages in memory. Those that newer ones have replaced, and that clients still read, have a limited room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Page;

/// Room for pages that are outdated; for one of them, in any case.
const ROOM: u64 = 8 << 20;

/// Knows all pages that are in memory.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    edition: u64,
    /// The oldest first.
    pages: Vec<HeldPage>,
}

#[derive(Debug)]
struct HeldPage {
    edition: u64,
    bytes: u64,
    chunks: Weak<[Bytes]>,
    cut: CancellationToken,
}

impl Shelf {
    /// Begins an edition, and returns its number. The pages of the one before are outdated.
    pub(super) fn next_edition(&self) -> u64 {
        let mut held = self.lock();
        held.edition += 1;
        held.tidy();
        held.edition
    }

    /// Adds a page that was made for an edition.
    pub(super) fn put(&self, edition: u64, page: &Page) {
        let mut held = self.lock();
        held.pages.push(HeldPage {
            edition,
            bytes: page.bytes,
            chunks: Arc::downgrade(&page.chunks),
            cut: page.cut.clone(),
        });
        held.tidy();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Forgets pages that are gone, and cuts off those who read the oldest for which there is no room.
    fn tidy(&mut self) {
        let (edition, mut taken) = (self.edition, 0);
        let mut keeps = |page: &HeldPage| {
            if page.chunks.strong_count() == 0 {
                return false;
            }
            if page.edition == edition {
                return true;
            }
            let fits = taken == 0 || taken + page.bytes <= ROOM;
            taken += page.bytes;
            if !fits {
                page.cut.cancel();
            }
            fits
        };
        let newest_first = std::mem::take(&mut self.pages).into_iter().rev();
        self.pages = newest_first.filter(|page| keeps(page)).collect();
        self.pages.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: u64) -> Page {
        Page {
            bytes,
            ..Page::from(vec![Bytes::from_static(b"x")])
        }
    }

    /// Puts a page of each of these sizes into an edition of its own, and returns which are kept while all are being read.
    fn kept(sizes: &[u64]) -> Vec<bool> {
        let shelf = Shelf::default();
        let put = |bytes: &u64| {
            let page = page(*bytes);
            shelf.put(shelf.next_edition(), &page);
            page
        };
        let pages: Vec<Page> = sizes.iter().map(put).collect();
        pages.iter().map(|page| !page.cut.is_cancelled()).collect()
    }

    #[test]
    fn of_large_pages_only_the_latest_and_the_one_before_are_kept() {
        assert_eq!(kept(&[ROOM + 1; 4]), [false, false, true, true]);
        assert_eq!(kept(&[ROOM / 2; 5]), [false, false, true, true, true]);
        assert_eq!(kept(&[1000; 50]), [true; 50]);
    }

    #[test]
    fn a_page_that_nothing_reads_takes_no_room() {
        let shelf = Shelf::default();
        let read = page(ROOM);
        shelf.put(shelf.next_edition(), &read);
        for _ in 0..3 {
            shelf.put(shelf.next_edition(), &page(ROOM));
        }
        shelf.next_edition();
        assert!(!read.cut.is_cancelled());
        assert_eq!(shelf.lock().pages.len(), 1);
    }

    #[test]
    fn a_page_that_waits_for_a_receiver_takes_no_room_of_clients() {
        let shelf = Shelf::default();
        let put = |page: &Page| shelf.put(shelf.next_edition(), page);
        let read = page(ROOM);
        put(&read);
        let waiting: Vec<Page> = (0..5)
            .map(|_| {
                let page = page(ROOM);
                put(&page);
                page.apart()
            })
            .collect();
        shelf.next_edition();
        assert!(!read.cut.is_cancelled());
        assert!(waiting.iter().all(|page| !page.chunks.is_empty()));
    }

    #[test]
    fn all_pages_of_the_latest_edition_are_kept() {
        let shelf = Shelf::default();
        let number = shelf.next_edition();
        let pages = [page(ROOM), page(ROOM), page(ROOM)];
        pages.iter().for_each(|page| shelf.put(number, page));
        assert!(pages.iter().all(|page| !page.cut.is_cancelled()));
        let late = page(ROOM);
        shelf.next_edition();
        shelf.put(number, &late);
        assert!(!late.cut.is_cancelled() && pages.iter().all(|page| page.cut.is_cancelled()));
    }
}
