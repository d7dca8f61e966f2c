//! What `?` shows, and the keys at the foot of each screen.

use crate::view::Kind;

/// All keys and marks.
pub(super) const HELP: &str = "\
Keys
  1 2 3 4 5, Tab   pools, pool, worker, why a worker is not seen, collector
  arrows, j k      move; PageUp, PageDown, Home, End too
  Enter            open what the cursor is on; Esc or Backspace goes back
  /                filter; in a pool by id, host, state or level
  s  r             sort by the next figure; reverse
  p                keep the order of rows while figures change
  !                list all problems
  left, right      another figure in the heat strip
  K W S R E H A    KV, waiting, slots, requests, errors, hits, last seen
  w                why a worker is not seen
  q                quit

Marks, next to a name or a figure
  !  at its target or above         ~  from 80 % of it
  ?  silent, or answers too late    +  started less than 60 s ago
  ▁▂▃▄▅▆▇█  a figure from low to high; · is not known
  ███▒▒▒··  KV use: filled to the median, hatched to the largest

CHG: changes of workers in the last hour; IMB: the largest by the mean
RST: restarts; HIT: blocks found in the prefix cache";

/// The keys of a screen, in a line.
pub(super) const fn keys(kind: Kind) -> &'static str {
    match kind {
        Kind::Overview => "Enter open  / filter  s sort  r reverse  p keep order  ? help  q quit",
        Kind::Pool => "Enter open  Esc back  / filter  s sort  r reverse  p keep order  ? help  q quit",
        Kind::Worker | Kind::Why | Kind::Collector => "↑↓ scroll  Esc back  1–5 screens  ? help  q quit",
    }
}
