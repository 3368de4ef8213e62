//! Charts by brotli: a fifth less than by gzip, but dear to make. One is made once and kept under its hash, which says all
//! that it shows.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use brotli::CompressorWriter;
use bytes::Bytes;

/// What is kept in all; a stadium's chart is a few kilobytes.
const MOST_BYTES: usize = 8 << 20;
/// Where a better one costs much more time than it saves bytes.
const QUALITY: u32 = 5;

/// What is kept.
#[derive(Debug, Default)]
pub struct Charts(Mutex<VecDeque<(String, Bytes)>>);

impl Charts {
    /// The chart with this hash, if it is kept.
    pub(super) fn get(&self, hash: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(kept, _)| kept == hash).map(|(_, chart)| chart.clone())
    }

    /// Keeps a chart; the ones that were kept first go where there is no room.
    pub(super) fn keep(&self, hash: &str, chart: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().any(|(kept, _)| kept == hash) {
            return;
        }
        let mut bytes: usize = kept.iter().map(|(_, chart)| chart.len()).sum();
        while bytes + chart.len() > MOST_BYTES {
            let Some((_, oldest)) = kept.pop_front() else { return };
            bytes -= oldest.len();
        }
        kept.push_back((hash.to_owned(), chart.clone()));
    }
}

/// Compresses.
pub(super) fn brotli(bytes: &[u8]) -> Bytes {
    let mut packed = Vec::with_capacity(bytes.len() / 8);
    let mut encoder = CompressorWriter::new(&mut packed, 1 << 14, QUALITY, 22);
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes);
    drop(encoder);
    debug_assert!(written.is_ok(), "memory took it");
    packed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let charts = Charts::default();
        let chart = Bytes::from(vec![0; MOST_BYTES / 4]);
        for hash in ["a", "b", "c", "d", "d", "e"] {
            charts.keep(hash, &chart);
        }
        assert_eq!(["a", "b", "e"].map(|hash| charts.get(hash).is_some()), [false, true, true]);
        charts.keep("large", &Bytes::from(vec![0; MOST_BYTES + 1]));
        assert_eq!(["b", "e", "large"].map(|hash| charts.get(hash).is_some()), [false, false, false]);
    }
}
